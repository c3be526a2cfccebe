import { share, splitByWeights } from '../../../../common/core/money.ts';

/** Parts per million: 19 % is 190,000. */
export const wholePpm = 1_000_000;

/** One tax of a place: VAT, or a state's sales tax beside a city's. */
export interface Tax {
  readonly name: string;
  readonly ratePpm: number;
}

/** The taxes of a country, or of a region of it, from a moment on until a later row of the same place. */
export interface TaxRow {
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** What follows the country in ISO 3166-2; none: the whole country, where no row of the region is in force. */
  readonly region?: string | undefined;
  readonly validFromMs: number;
  readonly taxes: readonly Tax[];
}

/** Where a customer is taxed. */
export interface TaxPlace {
  readonly country: string;
  readonly region?: string | undefined;
}

/** The taxes in force at a place: the region's row before the country's, the latest that has begun. None where no row is. */
export function taxesAt(table: readonly TaxRow[], place: TaxPlace, atMs: number): readonly Tax[] {
  const inForce = (region: string | undefined) =>
    table
      .filter((row) => row.country === place.country && row.region === region && row.validFromMs <= atMs)
      .reduce<TaxRow | undefined>(
        (best, row) => (best === undefined || row.validFromMs >= best.validFromMs ? row : best),
        undefined,
      );
  const row = (place.region === undefined ? undefined : inForce(place.region)) ?? inForce(undefined);
  return row?.taxes ?? [];
}

/** An amount with its taxes apart: `net` and the taxes sum to `gross`. */
export interface Taxed {
  readonly net: number;
  /** As the taxes were given. */
  readonly taxes: readonly number[];
  readonly gross: number;
}

/**
 * The taxes on the sum of an invoice's lines, never on each line: every tax is of the net amount, none of another tax.
 *
 * Rounding: a half away from zero, once. Where prices are without taxes, each tax is rounded by itself. Where they include them, the
 * gross amount stands: all taxes together are rounded and split by their rates (largest remainder), the net amount is the rest.
 */
export function taxed(amount: number, taxes: readonly Tax[], { inclusive }: { inclusive: boolean }): Taxed {
  const rates = taxes.map(({ ratePpm }) => ratePpm);
  const ratePpm = rates.reduce((sum, rate) => sum + rate, 0);
  if (ratePpm === 0) return { net: amount, taxes: rates, gross: amount };
  if (!inclusive) {
    const parts = rates.map((rate) => share(amount, rate, wholePpm));
    return { net: amount, taxes: parts, gross: parts.reduce((sum, part) => sum + part, amount) };
  }
  const all = share(amount, ratePpm, wholePpm + ratePpm);
  return { net: amount - all, taxes: splitByWeights(all, rates), gross: amount };
}
