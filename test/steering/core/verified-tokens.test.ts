import t from 'tap';
import { VerifiedTokens } from '../../../steering/core/verified-tokens.ts';

const nowS = 1_700_000_000;

t.test('a token is verified once; a bad one, and one that was forgotten, again', (t) => {
  const memory = new VerifiedTokens({ bytesMax: 1024, salt: 'salt' });
  let asked = 0;
  const answering = (isGood: boolean) => () => {
    asked++;
    return isGood;
  };
  t.notOk(memory.isGood('forged', nowS, answering(false)));
  t.notOk(memory.isGood('forged', nowS, answering(false)));
  t.equal(asked, 2, 'a bad one is never remembered');
  t.ok(memory.isGood('good', nowS, answering(true)));
  t.ok(memory.isGood('good', nowS, answering(false)));
  t.equal(asked, 3);
  t.notOk(memory.isGood('goof', nowS, answering(false)), 'nor is another one taken for it');
  memory.clear();
  t.notOk(memory.isGood('good', nowS, answering(false)));
  t.end();
});

t.test('its size is bounded; those that ask stay, those that do not go', (t) => {
  // Sixteen sets of four.
  const memory = new VerifiedTokens({ bytesMax: 1024, salt: 'salt' });
  const isHeld = (token: string, atS: number): boolean => memory.isGood(token, atS, () => false);
  for (let at = 0; at < 500; at++) {
    memory.isGood(`once-${at}`, nowS + at, () => true);
    memory.isGood('often', nowS + at, () => true);
    t.ok(isHeld('often', nowS + at));
  }
  const held = Array.from({ length: 500 }, (_, at) => at).filter((at) => isHeld(`once-${at}`, nowS + 600));
  t.ok(held.length <= 63, `${held.length} are held`);
  t.ok(held.length >= 55, `${held.length} are held`);
  t.ok(Math.min(...held) > 250, 'the latest');
  t.end();
});
