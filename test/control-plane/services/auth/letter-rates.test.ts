import t from 'tap';

import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { createLetterRates } from '../../../../control-plane/services/auth/letter-rates.ts';

t.test('a flood from more networks than are remembered gives no account another letter', (t) => {
  const rates = createLetterRates(createManualClock());
  const sent = () => rates.ofAccount('usr_ada', 'reset').isAllowed;
  t.strictSame([sent(), sent(), sent(), sent()], [true, true, true, false]);
  t.ok(rates.ofAccount('usr_ada', 'confirm').isAllowed, 'of another kind it may have some');
  for (let at = 0; at < 30_000; at++) rates.ofNetwork(`2001:db8:${at.toString(16)}:1::1`);
  t.notOk(sent());
  t.end();
});

t.test('who rents a /48 is one', (t) => {
  const rates = createLetterRates(createManualClock());
  const asked = Array.from({ length: 25 }, (_, at) => rates.ofNetwork(`2001:db8:1:${at}::1`).isAllowed);
  t.equal(asked.filter(Boolean).length, 20);
  t.end();
});

t.test('a flood of letters to many accounts gives no network another', (t) => {
  const rates = createLetterRates(createManualClock());
  const asks = () => rates.ofNetwork('198.51.100.7').isAllowed;
  t.strictSame([...Array.from({ length: 20 }, asks), asks()], [...Array<boolean>(20).fill(true), false]);
  for (let at = 0; at < 30_000; at++) rates.ofAccount(`usr_${at}`, 'reset');
  t.notOk(asks());
  t.end();
});
