import { join } from 'node:path';
import t from 'tap';
import { openRecords } from '../../../../common/adapters/records/open.ts';
import { createSystemChance } from '../../../../common/runtime/chance.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { challengeMs, createChallenges } from '../../../../control-plane/services/auth/passkey-challenges.ts';
import { openSeals } from '../../../../control-plane/services/seals.ts';

const chance = createSystemChance();
/** As a device gives it back. */
const answered = (challenge: string): string => Buffer.from(challenge).toString('base64url');

async function open(t: { testdir: () => string; teardown: (end: () => unknown) => unknown }) {
  const records = await openRecords(`sqlite://${join(t.testdir(), 'auth.db')}`);
  t.teardown(() => records.close());
  const seals = await openSeals({ records, chance });
  const clock = createManualClock({ nowMs: Date.now() });
  return { clock, seals, challenges: createChallenges({ seals, clock, chance }) };
}

t.test('a challenge is for whom it was made, once, for five minutes', async (t) => {
  const { clock, challenges } = await open(t);
  const mine = answered(challenges.make('sign in a'));
  t.ok(challenges.isGood('sign in a', mine));
  t.ok(challenges.isGood('sign in a', mine), 'looking uses nothing up');
  t.notOk(challenges.isGood('sign in b', mine));
  t.notOk(challenges.isGood('add a', mine));
  clock.jumpWall(challengeMs - 1);
  t.ok(challenges.isGood('sign in a', mine));
  clock.jumpWall(1);
  t.notOk(challenges.isGood('sign in a', mine), 'too late');
  clock.jumpWall(-2 * challengeMs);
  t.notOk(challenges.isGood('sign in a', mine), 'a clock that is set back makes it no better');
  const other = answered(challenges.make('sign in a'));
  challenges.use(other);
  t.notOk(challenges.isGood('sign in a', other));
  t.notOk(challenges.isGood('sign in a', `${other}=`), 'written otherwise');
});

t.test('what is made up is refused', async (t) => {
  const { clock, challenges } = await open(t);
  const [nonce = '', untilMs = '', seal = ''] = challenges.make('a').split('.');
  for (const text of [
    '',
    '..',
    `${nonce}.${clock.nowMs() + 1}.${seal}`,
    `${nonce}.${untilMs}.`,
    `${nonce}.${untilMs}.${seal}.`,
    `${nonce}.${untilMs}.${seal.slice(1)}`,
    `x${nonce}.${untilMs}.${seal}`,
    `${nonce}${untilMs}.${seal}`,
  ])
    t.notOk(challenges.isGood('a', answered(text)), text);
  t.notOk(challenges.isGood('a', `${nonce}.${untilMs}.${seal}`), 'not in base64url');
});

t.test('strangers who begin sign-ins push out nobody, and a restart forgets none', async (t) => {
  const { clock, seals, challenges } = await open(t);
  const mine = answered(challenges.make('sign in mine'));
  for (let at = 0; at < 10_001; at++) challenges.make(`sign in ${at}`);
  t.ok(challenges.isGood('sign in mine', mine));
  t.ok(createChallenges({ seals, clock, chance }).isGood('sign in mine', mine));
});
