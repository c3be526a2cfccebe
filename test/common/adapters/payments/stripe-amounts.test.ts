import fc from 'fast-check';
import t from 'tap';

import { fromStripeAmount, toStripeAmount } from '../../../../common/adapters/payments/stripe-amounts.ts';

t.test('amounts as Stripe counts them', async (t) => {
  const sent = (amount: number, currency: string) => toStripeAmount(amount, currency);
  for (const [amount, currency, wanted] of [
    [999, 'EUR', 999],
    [500, 'JPY', 500],
    [5, 'ISK', 500],
    [5, 'UGX', 500],
    [1500, 'MGA', 15],
    [5120, 'KWD', 5120],
  ] as const)
    t.strictSame(sent(amount, currency), { ok: true, value: wanted }, currency);
  t.match(sent(5124, 'KWD'), { ok: false, code: 'AMOUNT_INVALID' });
  t.match(sent(150, 'MGA'), { ok: false, code: 'AMOUNT_INVALID' });
  t.match(sent(1, 'LYD'), { ok: false, code: 'CURRENCY_UNKNOWN' });
  t.match(sent(1, 'XAU'), { ok: false, code: 'CURRENCY_UNKNOWN' });
});

t.test('what was sent comes back', async () => {
  const currency = fc.constantFrom('EUR', 'JPY', 'ISK', 'UGX', 'MGA', 'KWD', 'BHD', 'USD');
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e12 }), currency, (amount, code) => {
      const sent = toStripeAmount(amount, code);
      return !sent.ok || fromStripeAmount(sent.value, code) === amount;
    }),
  );
});
