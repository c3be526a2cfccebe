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

/** An amount in minor units of ISO 4217 as Stripe counts it. Refuses AMOUNT_INVALID for what it cannot take, CURRENCY_UNKNOWN. */
export function toStripeAmount(amount: number, currency: string): Result<number> {
  const decimals = currencyDecimals(currency);
  if (decimals === undefined) return refused('CURRENCY_UNKNOWN', currency.slice(0, 20));
  if (sentWithCents.has(currency)) return ok(amount * cents);
  const step = sentWithoutCents.has(currency) ? cents : sentInTens.has(currency) ? ten : 1;
  if (decimals > 2 && step === 1) return refused('CURRENCY_UNKNOWN', `Stripe takes no ${currency}`);
  if (amount % step !== 0)
    return refused(
      'AMOUNT_INVALID',
      `Stripe takes ${currency} in steps of ${step} minor units, not ${amount}`,
    );
  return ok(sentWithoutCents.has(currency) ? amount / cents : amount);
}

/** What Stripe has counted, in minor units of ISO 4217. */
export function fromStripeAmount(amount: number, currency: string): number {
  if (sentWithCents.has(currency)) return Math.round(amount / cents);
  return sentWithoutCents.has(currency) ? amount * cents : amount;
}
