import fc from 'fast-check';
import t from 'tap';

import { amountMax } from '../../../../../common/core/money.ts';
import {
  redeem,
  takeOff,
  type Coupon,
  type Redemption,
} from '../../../../../control-plane/services/billing/core/coupons.ts';
import { earnedBy, priceOfPart } from '../../../../../control-plane/services/billing/core/proration.ts';
import { taxed, taxesAt, type TaxRow } from '../../../../../control-plane/services/billing/core/taxes.ts';

const price = fc.integer({ min: 0, max: amountMax });
const taxes = fc.array(fc.record({ name: fc.string(), ratePpm: fc.integer({ min: 0, max: 300_000 }) }), {
  maxLength: 4,
});
const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);

t.test('the parts of a period, however it is cut, sum to its price', (t) => {
  const lengthMs = fc.integer({ min: 1, max: 400 * 86_400_000 });
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 });
  fc.assert(
    fc.property(price, lengthMs, cuts, (price, lengthMs, cuts) => {
      const startMs = 1_900_000_000_000;
      const period = { startMs, endMs: startMs + lengthMs };
      const ends = [...cuts.map((cut) => startMs + Math.floor(cut * lengthMs)), period.endMs].sort(
        (a, b) => a - b,
      );
      const parts = ends.map((endMs, index) =>
        priceOfPart(price, period, { startMs: ends[index - 1] ?? startMs, endMs }),
      );
      return sumOf(parts) === price && parts.every((part) => part >= 0);
    }),
  );
  const period = { startMs: 0, endMs: 3 };
  t.strictSame(
    [-1, 0, 1, 2, 3, 4].map((atMs) => earnedBy(100, period, atMs)),
    [0, 0, 33, 67, 100, 100],
  );
  t.end();
});

t.test('net and taxes sum to gross, whichever of them was given', (t) => {
  fc.assert(
    fc.property(price, taxes, fc.boolean(), (price, taxes, inclusive) => {
      const { net, taxes: amounts, gross } = taxed(price, taxes, { inclusive });
      const back = taxed(-price, taxes, { inclusive });
      return (
        net + sumOf(amounts) === gross &&
        (inclusive ? gross : net) === price &&
        amounts.length === taxes.length &&
        amounts.every((amount) => amount >= 0) &&
        back.gross === -gross + 0 &&
        sumOf(back.taxes) === -sumOf(amounts) + 0
      );
    }),
  );
  const vat = [{ name: 'VAT', ratePpm: 190_000 }];
  t.strictSame(taxed(1000, vat, { inclusive: false }), { net: 1000, taxes: [190], gross: 1190 });
  t.strictSame(taxed(1190, vat, { inclusive: true }), { net: 1000, taxes: [190], gross: 1190 });
  t.strictSame(taxed(999, vat, { inclusive: true }), { net: 839, taxes: [160], gross: 999 });
  const canada = [
    { name: 'GST', ratePpm: 50_000 },
    { name: 'QST', ratePpm: 99_750 },
  ];
  t.strictSame(taxed(1099, canada, { inclusive: false }), { net: 1099, taxes: [55, 110], gross: 1264 });
  t.strictSame(taxed(1099, [], { inclusive: true }), { net: 1099, taxes: [], gross: 1099 });
  t.end();
});

t.test('the taxes in force: of the region, else of the country, by date', (t) => {
  const row = (place: string, validFromMs: number, ratePpm: number): TaxRow => {
    const [country = '', region] = place.split('-');
    return { country, region, validFromMs, taxes: [{ name: 'tax', ratePpm }] };
  };
  const table = [row('DE', 200, 190_000), row('DE', 0, 160_000), row('US', 0, 1), row('US-CA', 100, 62_500)];
  const rateAt = (country: string, atMs: number, region?: string) =>
    taxesAt(table, { country, region }, atMs).map(({ ratePpm }) => ratePpm);
  t.strictSame(rateAt('DE', -1), []);
  t.strictSame(rateAt('DE', 199), [160_000]);
  t.strictSame(rateAt('DE', 200, 'BY'), [190_000]);
  t.strictSame(rateAt('US', 99, 'CA'), [1], 'the region has none yet');
  t.strictSame(rateAt('US', 100, 'CA'), [62_500]);
  t.strictSame(rateAt('US', 100, 'NY'), [1]);
  t.strictSame(rateAt('FR', 100), []);
  t.end();
});

const coupon: fc.Arbitrary<Coupon> = fc.record(
  {
    id: fc.uuid(),
    off: fc.oneof(
      fc.record({ kind: fc.constant('part' as const), partPpm: fc.integer({ min: 1, max: 1_000_000 }) }),
      fc.record({
        ...{ kind: fc.constant('amount' as const), amount: fc.integer({ min: 1, max: amountMax }) },
        currency: fc.constantFrom('EUR', 'USD'),
      }),
    ),
    invoices: fc.integer({ min: 1, max: 5 }),
  },
  { requiredKeys: ['id', 'off'] },
);

t.test('coupons take no more than there is, and no oftener than they may', (t) => {
  fc.assert(
    fc.property(
      fc.array(coupon, { maxLength: 5 }),
      fc.array(price, { maxLength: 12 }),
      (coupons, invoices) => {
        let held: readonly Redemption[] = coupons.map((coupon) => ({ coupon, used: 0 }));
        const taken = coupons.map(() => 0);
        for (const amount of invoices) {
          const discounts = takeOff({ amount, currency: 'EUR' }, held);
          if (discounts.total > amount || discounts.total !== sumOf(discounts.amounts)) return false;
          discounts.amounts.forEach((off, index) => (taken[index] = (taken[index] ?? 0) + (off > 0 ? 1 : 0)));
          held = discounts.redemptions;
        }
        return held.every(
          ({ coupon, used }, index) => used === taken[index] && used <= (coupon.invoices ?? Infinity),
        );
      },
    ),
  );
  const half: Redemption = { coupon: { id: 'half', off: { kind: 'part', partPpm: 500_000 } }, used: 0 };
  const five: Redemption = {
    coupon: { id: 'five', off: { kind: 'amount', amount: 500, currency: 'EUR' } },
    used: 0,
  };
  t.strictSame(takeOff({ amount: 999, currency: 'EUR' }, [half, five]).amounts, [500, 499], 'in their order');
  t.strictSame(takeOff({ amount: 999, currency: 'EUR' }, [five, half]).amounts, [500, 250]);
  t.strictSame(
    takeOff({ amount: 999, currency: 'USD' }, [five]).redemptions,
    [five],
    'not used up by another currency',
  );
  t.end();
});

t.test('who may redeem a coupon', (t) => {
  const coupon: Coupon = {
    ...{
      id: 'c',
      off: { kind: 'amount', amount: 5, currency: 'EUR' },
      redemptionsMax: 2,
      redeemBeforeMs: 100,
    },
  };
  const context = { nowMs: 99, redemptions: 1, currency: 'EUR', had: ['other'] };
  t.strictSame(redeem(coupon, context), { ok: true, value: { coupon, used: 0 } });
  const refusal = { ok: false, code: 'COUPON_NOT_REDEEMABLE' };
  t.match(redeem(coupon, { ...context, nowMs: 100 }), refusal, 'too late');
  t.match(redeem(coupon, { ...context, redemptions: 2 }), refusal, 'too many');
  t.match(redeem(coupon, { ...context, had: ['c'] }), refusal, 'twice');
  t.match(redeem(coupon, { ...context, currency: 'USD' }), { ok: false, code: 'CURRENCY_MISMATCH' });
  t.end();
});
