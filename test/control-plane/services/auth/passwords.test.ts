import t from 'tap';
import { createSystemChance } from '../../../../common/runtime/chance.ts';
import { createPasswords } from '../../../../control-plane/services/auth/passwords.ts';

const chance = createSystemChance();

t.test(
  'a password is the one that was hashed, however it was typed, and none is without a hash',
  async (t) => {
    const passwords = createPasswords({ chance });
    const hash = await passwords.hash('caf\u00e9 au lait');
    t.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    t.equal(await passwords.check('cafe\u0301 au lait', hash), true);
    t.equal(await passwords.check('cafe au lait', hash), false);
    for (const password of ['', 'x']) t.equal(await passwords.check(password, undefined), false);
  },
);

t.test(
  'who has no account is checked by the same work: it takes the same turns, and as few at a time',
  async (t) => {
    for (const held of [undefined, await createPasswords({ chance }).hash('something else')]) {
      const passwords = createPasswords({ chance });
      const checks = Array.from({ length: 66 }, () => passwords.check('x', held));
      const outcomes = await Promise.allSettled(checks);
      const refused = outcomes.filter(({ status }) => status === 'rejected');
      t.equal(refused.length, 2, String(held));
      t.match(refused, [{ reason: { code: 'OVERLOADED' } }, { reason: { code: 'OVERLOADED' } }]);
    }
  },
);
