import fc from 'fast-check';
import t from 'tap';

import type { Meter } from '../../../../../common/contract/meters.ts';
import { currencyCodes } from '../../../../../common/core/currency.ts';
import { amountMax } from '../../../../../common/core/money.ts';
import { quantityText } from '../../../../../common/core/quantity.ts';
import { addUp } from '../../../../../control-plane/services/billing/core/invoice.ts';
import {
  faultOfMeters,
  isTooMuch,
  meterAmount,
  termsOfPart,
  usageLine,
} from '../../../../../control-plane/services/billing/core/meters.ts';

const hours: Meter = {
  ...{ metric: 'minutes-watched', name: 'Hours watched', unit: 'h', per: 60, included: 600 },
  tiers: [{ upTo: 6000, price: '25' }, { upTo: 12_000, price: '12.5' }, { price: '0.001' }],
};

t.test('tiers are graduated, and rounded once', async (t) => {
  t.equal(meterAmount(0, hours), 0);
  t.equal(meterAmount(600, hours), 0, 'included');
  t.equal(meterAmount(660, hours), 25);
  t.equal(meterAmount(6600, hours), 2500, 'all of the first tier');
  t.equal(meterAmount(6660, hours), 2513, '12.5 are rounded up with the whole');
  t.equal(meterAmount(12_600 + 60_000, hours), 3751, 'a thousandth of a cent counts in thousands');
  t.equal(meterAmount(601, { ...hours, per: 1, tiers: [{ price: '0.499999999999' }] }), 0);
  t.equal(quantityText(750, hours), '12.5 h');
  t.equal(quantityText(1, { per: 3_000_000, unit: 'GB' }), '0 GB');
  t.equal(quantityText(60_000, { per: 60, unit: 'h' }), '1000 h');
});

t.test('meters that cannot be', async (t) => {
  t.equal(faultOfMeters([hours]), undefined);
  t.match(faultOfMeters([hours, hours]), /two of minutes-watched/);
  t.match(faultOfMeters([{ ...hours, tiers: [{ upTo: 5, price: '1' }] }]), /the last tier/);
  const still = [{ upTo: 5, price: '1' }, { upTo: 5, price: '2' }, { price: '1' }];
  t.match(faultOfMeters([{ ...hours, tiers: still }]), /goes further/);
  t.match(faultOfMeters([{ ...hours, tiers: [{ price: '1' }, { price: '1' }] }]), /goes further/);
  t.match(faultOfMeters([{ ...hours, tiers: [{ upTo: 0, price: '1' }, { price: '1' }] }]), /goes further/);
  t.ok(isTooMuch(amountMax, hours));
  t.notOk(isTooMuch(1_000_000, hours));
});

const price = fc
  .tuple(fc.nat(999_999), fc.nat(999_999_999_999), fc.integer({ min: 1, max: 12 }))
  .map(([whole, part, digits]) => `${whole}.${String(part).padStart(12, '0').slice(0, digits)}`);
const tiers = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 1, max: 1_000_000 }), { maxLength: 5 }),
    fc.array(price, { minLength: 6, maxLength: 6 }),
  ) // prettier-ignore
  .map(([bounds, prices]): Meter['tiers'] => [
    ...bounds.sort((one, other) => one - other).map((upTo, index) => ({ upTo, price: prices[index] ?? '0' })),
    { price: prices[5] ?? '0' },
  ]);
const meter = fc
  .record({ per: fc.integer({ min: 1, max: 1_000_000 }), included: fc.nat(1_000_000), tiers })
  .map((terms) => ({ ...hours, ...terms }));
const quantity = fc.nat(1_000_000_000);

t.test('as a count unit by unit, never less for more', async () => {
  fc.assert(
    fc.property(meter, fc.nat(3000), (one, used) => {
      // Rational arithmetic of its own: each unit by the price of its tier, in 10⁻¹² minor units.
      let sum = 0n;
      const small = { ...one, included: one.included % 1000 };
      for (let unit = small.included + 1; unit <= used; unit++) {
        const tier = small.tiers.find(({ upTo = Infinity }) => unit - small.included <= upTo);
        const [whole = '', part = ''] = (tier?.price ?? '').split('.');
        sum += BigInt(whole) * 10n ** 12n + BigInt(part.padEnd(12, '0'));
      }
      const per = BigInt(one.per) * 10n ** 12n;
      const rest = sum % per;
      const rounded = sum / per + (2n * rest >= per ? 1n : 0n);
      if (BigInt(meterAmount(used, small)) !== rounded) throw new Error(`${used}: ${meterAmount(used, small)}, not ${rounded}`); // prettier-ignore
    }),
  );
  fc.assert(
    fc.property(meter, quantity, quantity, (one, a, b) => {
      if (meterAmount(Math.min(a, b), one) > meterAmount(Math.max(a, b), one))
        throw new Error('less for more');
    }),
  );
});

t.test('what the parts of a period include sums to what the period does', async () => {
  const whole = { startMs: 1_000_000, endMs: 1_000_000 + 31 * 86_400_000 };
  const cuts = fc.array(fc.integer({ min: whole.startMs, max: whole.endMs }), { maxLength: 8 });
  fc.assert(
    fc.property(meter, cuts, (one, moments) => {
      const bounds = [whole.startMs, ...moments.sort((a, b) => a - b), whole.endMs];
      const parts = bounds.slice(1).map((endMs, index) => ({ startMs: bounds[index] ?? 0, endMs }));
      const terms = parts.map((part) => termsOfPart(one, whole, part));
      const sum = (of: (part: (typeof terms)[number]) => number) =>
        terms.reduce((all, part) => all + of(part), 0);
      if (sum(({ included }) => included) !== one.included) throw new Error('included');
      for (const [index, { upTo = 0 }] of one.tiers.entries())
        if (sum((part) => part.tiers[index]?.upTo ?? 0) !== upTo) throw new Error(`tier ${index}`);
    }),
  );
});

t.test('lines sum to their invoice, with its taxes, in every currency', async () => {
  const whole = { startMs: 0, endMs: 86_400_000 };
  const rates = fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 4 });
  fc.assert(
    fc.property(
      fc.constantFrom(...currencyCodes),
      fc.array(fc.tuple(meter, fc.nat(1_000_000)), { minLength: 1, maxLength: 5 }),
      fc.tuple(rates, fc.boolean()),
      (currency, used, [ppm, taxInclusive]) => {
        const lines = used.map(([one, many]) => usageLine(one, many, { whole, part: whole }));
        const amount = lines.reduce((sum, line) => sum + line.amount, 0);
        if (amount > amountMax / 10) return;
        const taxes = ppm.map((ratePpm, index) => ({ name: `T${index}`, ratePpm }));
        const { amounts } = addUp({ amount, currency, taxInclusive }, { coupons: [], taxes });
        const taxed = amounts.taxes.reduce((sum, tax) => sum + tax.amount, amounts.net);
        if (taxed !== amounts.gross || amounts.amount !== amount) throw new Error(`${currency}: ${taxed}`);
      },
    ),
  );
});
