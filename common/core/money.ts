import { currencyDecimals } from './currency.ts';
import { ok, refused, type Result } from './result.ts';

/** The largest amount of one price, payment or posting, in minor units: sums of ninety of them are still exact. */
export const amountMax = 100_000_000_000_000;

/** A whole number of a currency's minor units: cents, yen, fils. */
export interface Money {
  readonly amount: number;
  /** ISO 4217. */
  readonly currency: string;
}

/**
 * What a person wrote, `12.34` or `-5`, in the minor units of `currency`. More decimals than the currency has are refused,
 * also zeros: nobody shall guess what they meant. Refuses CURRENCY_UNKNOWN and AMOUNT_INVALID.
 */
export function parseAmount(text: string, currency: string): Result<number> {
  const decimals = currencyDecimals(currency);
  if (decimals === undefined) return refused('CURRENCY_UNKNOWN', currency.slice(0, 20));
  const match = /^(-?)(\d{1,18})(?:\.(\d{1,4}))?$/.exec(text.trim());
  if (match === null) return refused('AMOUNT_INVALID', `${text.slice(0, 40)} is no amount like 12.34`);
  const [, sign = '', whole = '', fraction = ''] = match;
  if (fraction.length > decimals)
    return refused('AMOUNT_INVALID', `${text.trim()}: ${currency} has ${decimals} decimals`);
  const minor = Number(BigInt(whole + fraction.padEnd(decimals, '0')));
  if (minor > amountMax) return refused('AMOUNT_INVALID', `${text.trim()} ${currency} is too much`);
  // Never a negative zero.
  return ok(sign === '' || minor === 0 ? minor : -minor);
}

/** An amount as `parseAmount` reads it, with all decimals of its currency: `12.30`. @throws RangeError for an unknown currency. */
export function amountText(amount: number, currency: string): string {
  const decimals = currencyDecimals(currency);
  if (decimals === undefined) throw new RangeError(`no currency ${currency}`);
  const digits = String(Math.abs(amount)).padStart(decimals + 1, '0');
  const point = digits.length - decimals;
  const text = decimals === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return amount < 0 ? `-${text}` : text;
}

/**
 * `amount` × `numerator` ÷ `denominator`, exact, then rounded to the nearest minor unit; a half goes away from zero, so that what
 * is taken back rounds as what was given.
 *
 * @throws RangeError where the result is no safe integer, or the denominator not above zero.
 */
export function share(amount: number, numerator: number, denominator: number): number {
  if (!(denominator > 0)) throw new RangeError(`a share of ${denominator} parts`);
  const product = BigInt(amount) * BigInt(numerator);
  const parts = BigInt(denominator);
  const size = product < 0n ? -product : product;
  const rounded = (2n * size + parts) / (2n * parts);
  return safe(product < 0n ? -rounded : rounded);
}

/**
 * Splits an amount into parts in the proportion of `weights`, by largest remainder (Hamilton's method): no part is a whole unit off,
 * the parts sum to the amount, and of equal remainders the earlier part gets the unit. All weights zero count as equal.
 *
 * @throws RangeError for no parts, or a weight that is no safe integer from zero up.
 */
export function splitByWeights(amount: number, weights: readonly number[]): number[] {
  if (weights.length === 0) throw new RangeError('nothing to split among');
  if (!weights.every((weight) => Number.isSafeInteger(weight) && weight >= 0))
    throw new RangeError('a weight is a whole number from zero up');
  const counts = weights.some((weight) => weight > 0) ? weights.map(BigInt) : weights.map(() => 1n);
  const whole = counts.reduce((sum, count) => sum + count, 0n);
  const size = BigInt(Math.abs(amount));
  const parts = counts.map((count, index) => ({
    index,
    floor: (size * count) / whole,
    rest: (size * count) % whole,
  }));
  let left = Number(size - parts.reduce((sum, { floor }) => sum + floor, 0n));
  const shares = parts.map(({ floor }) => floor);
  const byRest = parts.toSorted((a, b) => (a.rest === b.rest ? a.index - b.index : a.rest > b.rest ? -1 : 1));
  for (const { index } of byRest) {
    if (left === 0) break;
    shares[index] = (shares[index] ?? 0n) + 1n;
    left--;
  }
  return shares.map((part) => safe(amount < 0 && part !== 0n ? -part : part));
}

function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is more than can be counted exactly`);
  return number;
}
