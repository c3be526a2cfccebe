import type { Stripe } from 'stripe';
import type { ChargeOutcome, RefundOutcome } from './port.ts';
import { fromStripeAmount } from './stripe-amounts.ts';

/** What a card is declined with that will be declined again. https://docs.stripe.com/declines/codes */
const finalDeclines = new Set([
  ...['authentication_required', 'card_not_supported', 'currency_not_supported', 'expired_card'],
  ...[
    'fraudulent',
    'incorrect_number',
    'invalid_account',
    'invalid_number',
    'lost_card',
    'merchant_blacklist',
  ],
  ...['pickup_card', 'restricted_card', 'revocation_of_all_authorizations', 'revocation_of_authorization'],
  ...['stolen_card', 'stop_payment_order', 'transaction_not_allowed'],
]);

/**
 * What a request to pay is refused with, before any bank is asked, as long as its way of paying or its amount is the same. What else is
 * refused may be our key or our request, which somebody mends. https://docs.stripe.com/error-codes
 */
const finalRefusals: ReadonlySet<string | undefined> = new Set([
  ...['amount_too_large', 'expired_card', 'incorrect_number', 'invalid_card_type'],
  ...['invalid_number', 'payment_intent_authentication_failure'],
  ...['payment_intent_incompatible_payment_method', 'payment_method_bank_account_blocked'],
  ...['payment_method_currency_mismatch', 'payment_method_customer_decline', 'payment_method_not_available'],
  ...['payment_method_provider_decline', 'payment_method_unexpected_state'],
]);

/** Whether a request that Stripe refused will be refused again whatever is mended here. */
export function isFinalRefusal(code: string | undefined): code is string {
  return finalRefusals.has(code);
}

/** What a request to give back is refused with for the payment's own sake. https://docs.stripe.com/error-codes */
const finalRefundRefusals: ReadonlySet<string | undefined> = new Set([
  ...['amount_too_large', 'amount_too_small', 'charge_already_refunded', 'charge_disputed'],
  ...['charge_exceeds_source_limit', 'payment_intent_unexpected_state', 'refund_disputed_payment'],
]);

/** Whether a refund that Stripe refused will be refused again whatever is mended here: the money stays, and stays the account's. */
export function isFinalRefundRefusal(code: string | undefined): code is string {
  return finalRefundRefusals.has(code);
}

/** What a payment intent says of the money that it is for. */
export function chargeOutcome(intent: Stripe.PaymentIntent): ChargeOutcome {
  const { id, status, amount_received: received, last_payment_error: failure } = intent;
  const currency = intent.currency.toUpperCase();
  if (status === 'succeeded')
    return { kind: 'paid', payment: id, amount: fromStripeAmount(received, currency), currency };
  if (status === 'processing') return { kind: 'pending' };
  return failedCharge(failure?.decline_code ?? failure?.code ?? status);
}

/** What has become of a refund. */
export function refundOutcome({ status, failure_reason: reason }: Stripe.Refund): RefundOutcome {
  if (status === 'succeeded') return { kind: 'done' };
  if (status === 'failed' || status === 'canceled') return { kind: 'failed', reason: reason ?? status };
  return { kind: 'pending' };
}

/** A charge that failed for a reason of Stripe's. */
export function failedCharge(reason: string): ChargeOutcome {
  return { kind: 'failed', reason, isFinal: finalDeclines.has(reason) };
}
