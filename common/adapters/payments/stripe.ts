import { Stripe } from 'stripe';
import { coded, isCoded } from '../../runtime/errors.ts';
import type {
  ChargeOutcome,
  PaymentProvider,
  ProviderCharge,
  ProviderRefund,
  RefundOutcome,
  SentOutcome,
} from './port.ts';
import { takenByStripe, toStripeAmount } from './stripe-amounts.ts';
import type { StripeOptions } from './stripe-options.ts';
import { readStripeEvent } from './stripe-events.ts';
import {
  chargeOutcome,
  failedCharge,
  isFinalRefundRefusal,
  isFinalRefusal,
  refundOutcome,
} from './stripe-outcomes.ts';

const timeoutMs = 20_000;
/** Stripe keeps what it answered to a key for a day at least; a page of the newest intents reaches further back. */
const intentsLooked = 100;
/** More refunds than a payment has; the newest come first. */
const refundsLooked = 1000;
/** Stripe by its own SDK: customers, setup pages of Checkout, payment intents and refunds, each once by its idempotency key. */
export function createStripeProvider({ key, webhookSecret, url }: StripeOptions): PaymentProvider {
  const { protocol, hostname, port } = new URL(url);
  const stripe = new Stripe(key, {
    ...{ host: hostname, protocol: protocol === 'http:' ? 'http' : 'https', timeout: timeoutMs },
    ...(port !== '' && { port }),
    // Whoever asks knows when to ask again; and what is measured here is nobody's business.
    ...{ maxNetworkRetries: 0, telemetry: false },
  });
  return {
    name: 'stripe',
    takes: takenByStripe,
    createCustomer: (account) =>
      asked(async () => {
        const metadata = { nearcast_account: account };
        const customer = await stripe.customers.create(
          { metadata },
          { idempotencyKey: `customer-${account}` },
        );
        return customer.id;
      }),
    removeCustomer: (customer) =>
      asked(async () => {
        await stripe.customers.del(customer).catch((error: unknown) => {
          if (!isMissing(error)) throw error;
        });
      }),
    setupPage: ({ customer, account, returnUrl }) =>
      asked(async () => {
        const page = await stripe.checkout.sessions.create({
          ...{ mode: 'setup', customer, client_reference_id: account, success_url: returnUrl },
          // Needed where no currency says which ways of paying are offered.
          allowed_payment_method_types: ['card'],
          setup_intent_data: { metadata: { nearcast_account: account } },
        });
        if (page.url === null) throw coded('PROVIDER_REFUSED', 'Stripe gave no page');
        return page.url;
      }),
    charge: async (charge, { isRepeat }) =>
      (isRepeat ? await asked(() => findCharge(stripe, charge)) : undefined) ??
      (await send(stripe, charge).catch(refusedOnly)),
    findCharge: (charge) => asked(() => findCharge(stripe, charge)),
    refund: (refund) => giveBack(stripe, refund),
    readNotice: (body, signature, nowMs) =>
      readStripeEvent({ body, signature, nowMs }, { stripe, webhookSecret, isLive: key.includes('_live_') }),
  };
}

async function send(stripe: Stripe, charge: ProviderCharge): Promise<SentOutcome> {
  const { invoice, account, attempt, customer, method, amount, currency } = charge;
  const sent = toStripeAmount(amount, currency);
  if (!sent.ok) return { kind: 'failed', reason: sent.detail, isFinal: true };
  return asked(async () => {
    try {
      const intent = await stripe.paymentIntents.create(
        {
          ...{ amount: sent.value, currency: currency.toLowerCase(), customer, payment_method: method },
          ...{ confirm: true, off_session: true, description: invoice },
          metadata: { nearcast_invoice: invoice, nearcast_account: account, nearcast_attempt: attempt },
        },
        { idempotencyKey: `charge-${invoice}-${attempt}` },
      );
      return chargeOutcome(intent);
    } catch (error) {
      if (error instanceof Stripe.errors.StripeCardError) return failedCharge(reasonOf(error));
      if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw error;
      if (error.code === 'amount_too_small') return { kind: 'too-small' };
      if (isFinalRefusal(error.code)) return { kind: 'failed', reason: error.code, isFinal: true };
      throw error;
    }
  });
}

/** What was sent and refused has taken nothing: what was sent before by its number would have been found. */
function refusedOnly(error: unknown): SentOutcome {
  if (isCoded(error, 'PROVIDER_REFUSED'))
    return { kind: 'refused', reason: error.detail ?? 'Stripe refuses it' };
  throw error;
}

async function giveBack(stripe: Stripe, order: ProviderRefund): Promise<RefundOutcome> {
  const { refund, payment, amount, currency } = order;
  const sent = toStripeAmount(amount, currency);
  if (!sent.ok) return { kind: 'failed', reason: sent.detail };
  return asked(async () => {
    // Keys are forgotten after a day; what was made stays in the list.
    const made = await findRefund(stripe, order);
    if (made !== undefined) return refundOutcome(made);
    try {
      const about = { payment_intent: payment, metadata: { nearcast_refund: refund } };
      const key = { idempotencyKey: `refund-${refund}` };
      return refundOutcome(await stripe.refunds.create({ ...about, amount: sent.value }, key));
    } catch (error) {
      // That there is no such payment says that our key is of another account, not that nothing was given back by the right one.
      if (error instanceof Stripe.errors.StripeInvalidRequestError && isFinalRefundRefusal(error.code))
        return { kind: 'failed', reason: error.code };
      throw error;
    }
  });
}

async function findRefund(
  stripe: Stripe,
  { refund, payment }: ProviderRefund,
): Promise<Stripe.Refund | undefined> {
  try {
    const made = await stripe.refunds
      .list({ payment_intent: payment, limit: 100 })
      .autoPagingToArray({ limit: refundsLooked });
    return made.find(({ metadata }) => metadata?.['nearcast_refund'] === refund);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Absent where the bank has said none, whatever the SDK's types say. */
function reasonOf(error: {
  decline_code: string | undefined;
  code?: string | undefined;
  message: string;
}): string {
  return error.decline_code ?? error.code ?? error.message;
}

async function findCharge(stripe: Stripe, charge: ProviderCharge): Promise<ChargeOutcome | undefined> {
  const { customer, invoice, attempt } = charge;
  const { data } = await stripe.paymentIntents.list({ customer, limit: intentsLooked });
  const intent = data.find(
    ({ metadata }) =>
      metadata['nearcast_invoice'] === invoice && metadata['nearcast_attempt'] === String(attempt),
  );
  return intent && chargeOutcome(intent);
}

function isMissing(error: unknown): boolean {
  return error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing';
}

/** Stripe's errors in our codes. */
async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (!(cause instanceof Stripe.errors.StripeError)) throw cause;
    const { errors } = Stripe;
    // RateLimit and a key that is being used just now pass, as does what Stripe calls its own fault.
    const isPassing =
      cause instanceof errors.StripeConnectionError ||
      cause instanceof errors.StripeRateLimitError ||
      cause instanceof errors.StripeAPIError ||
      cause.statusCode === 409;
    // Never the message: it may quote the key.
    const detail = `Stripe: ${cause.code ?? cause.type}${cause.requestId ? ` (${cause.requestId})` : ''}`;
    throw coded(isPassing ? 'PROVIDER_UNREACHABLE' : 'PROVIDER_REFUSED', { detail, cause });
  }
}
