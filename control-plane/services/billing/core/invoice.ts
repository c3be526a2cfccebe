import { share, splitByWeights } from '../../../../common/core/money.ts';
import { takeOff, type Redemption } from './coupons.ts';
import { taxed, type Tax } from './taxes.ts';

/** A tax with what it comes to. */
export interface TaxAmount extends Tax {
  readonly amount: number;
}

/** The amounts of an invoice: `amount` less discounts is `base`, of which net, taxes and gross are. */
export interface InvoiceAmounts {
  readonly amount: number;
  readonly discounts: readonly { readonly coupon: string; readonly amount: number }[];
  readonly base: number;
  readonly taxInclusive: boolean;
  readonly taxes: readonly TaxAmount[];
  readonly net: number;
  readonly gross: number;
}

/** Adds up an invoice: coupons first, taxes on what they leave. With the redemptions after it. */
export function addUp(
  { amount, currency, taxInclusive }: { amount: number; currency: string; taxInclusive: boolean },
  { coupons, taxes }: { coupons: readonly Redemption[]; taxes: readonly Tax[] },
): { amounts: InvoiceAmounts; coupons: readonly Redemption[] } {
  const off = takeOff({ amount, currency }, coupons);
  const base = amount - off.total;
  const { net, gross, taxes: parts } = taxed(base, taxes, { inclusive: taxInclusive });
  const discounts = coupons.flatMap(({ coupon }, index) => {
    const taken = off.amounts[index] ?? 0;
    return taken === 0 ? [] : [{ coupon: coupon.id, amount: taken }];
  });
  const named = taxes.map((tax, index) => ({ ...tax, amount: parts[index] ?? 0 }));
  return {
    amounts: { amount, discounts, base, taxInclusive, taxes: named, net, gross },
    coupons: off.redemptions,
  };
}

/** What was taken back of an invoice, or is by one credit note. */
export interface CreditAmounts {
  readonly base: number;
  /** In the order of the invoice's taxes. */
  readonly taxes: readonly number[];
  readonly net: number;
  readonly gross: number;
}

/**
 * What a credit note over `base` takes back of an invoice of which `before` was taken back already. All taxes together are a difference of
 * two sums from the beginning, split by what is left of each: so credit notes over all of an invoice sum to it in every amount.
 */
export function takeBack(
  invoice: Pick<InvoiceAmounts, 'base' | 'taxes' | 'taxInclusive'>,
  { before, base }: { before: Pick<CreditAmounts, 'base' | 'taxes'>; base: number },
): CreditAmounts {
  const all = invoice.taxes.reduce((sum, { amount }) => sum + amount, 0);
  const taxOn = (part: number) => (invoice.base === 0 ? 0 : share(all, part, invoice.base));
  const tax = taxOn(before.base + base) - taxOn(before.base);
  const left = invoice.taxes.map(({ amount }, index) => amount - (before.taxes[index] ?? 0));
  const taxes = left.length === 0 ? [] : splitByWeights(tax, left);
  const { taxInclusive } = invoice;
  return { base, taxes, net: taxInclusive ? base - tax : base, gross: taxInclusive ? base : base + tax };
}
