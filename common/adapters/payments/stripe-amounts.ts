import { currencyDecimals } from '../../core/currency.ts';
import { ok, refused, type Result } from '../../core/result.ts';

// https://docs.stripe.com/currencies: where Stripe counts otherwise than ISO 4217 does.
/** No decimals for ISO, but sent with two that are always zero. */
const sentWithCents = new Set(['ISK', 'UGX']);
/** Two decimals for ISO, none for Stripe. */
const sentWithoutCents = new Set(['MGA']);
/** Three decimals, of which the last is always zero. */
const sentInTens = new Set(['BHD', 'JOD', 'KWD', 'OMR', 'TND']);
const cents = 100;
const ten = 10;
/**
 * The least that Stripe takes, in minor units of ISO 4217; of other currencies what the least of the account's own comes to, which only Stripe
 * knows. https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
 */
const minimums: Readonly<Record<string, number>> = {
  ...{ USD: 50, AED: 200, AUD: 50, BRL: 50, CAD: 50, CHF: 50, CZK: 1500, DKK: 250, EUR: 50, GBP: 30 },
  ...{ HKD: 400, HUF: 17_500, INR: 50, JPY: 50, MXN: 1000, MYR: 200, NOK: 300, NZD: 50, PLN: 200 },
  ...{ RON: 200, SEK: 300, SGD: 50, THB: 1000 },
};

/** An amount in minor units of ISO 4217 as Stripe counts it. Refuses AMOUNT_INVALID for what it cannot take, CURRENCY_UNKNOWN. */
export function toStripeAmount(amount: number, currency: string): Result<number> {
  const decimals = currencyDecimals(currency);
  if (decimals === undefined) return refused('CURRENCY_UNKNOWN', currency.slice(0, 20));
  if (sentWithCents.has(currency)) return ok(amount * cents);
  const step = stepOf(currency);
  if (decimals > 2 && step === 1) return refused('CURRENCY_UNKNOWN', `Stripe takes no ${currency}`);
  if (amount % step !== 0)
    return refused(
      'AMOUNT_INVALID',
      `Stripe takes ${currency} in steps of ${step} minor units, not ${amount}`,
    );
  return ok(sentWithoutCents.has(currency) ? amount / cents : amount);
}

/** What of an amount Stripe takes at all: whole steps, and nothing below the least that it takes. */
export function takenByStripe(amount: number, currency: string): number {
  const whole = amount - (amount % stepOf(currency));
  return whole < (minimums[currency] ?? 0) ? 0 : whole;
}

/** What Stripe has counted, in minor units of ISO 4217. */
export function fromStripeAmount(amount: number, currency: string): number {
  if (sentWithCents.has(currency)) return Math.round(amount / cents);
  return sentWithoutCents.has(currency) ? amount * cents : amount;
}

/** In minor units of ISO 4217, what amounts are a multiple of. */
function stepOf(currency: string): number {
  return sentWithoutCents.has(currency) ? cents : sentInTens.has(currency) ? ten : 1;
}
