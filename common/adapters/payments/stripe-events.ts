import type { Stripe } from 'stripe';
import { coded } from '../../runtime/errors.ts';
import type { ProviderNotice } from './port.ts';
import { fromStripeAmount } from './stripe-amounts.ts';
import { chargeOutcome, refundOutcome } from './stripe-outcomes.ts';

/** For how long a signature holds, in seconds: what was recorded is not taken again later. */
const toleranceS = 300;

interface Reader {
  readonly stripe: Stripe;
  readonly webhookSecret: string;
  readonly isLive: boolean;
}

/** Reads an event of Stripe's; undefined for one that says nothing to us. Errors: those of `readNotice`. */
export function readStripeEvent(
  { body, signature, nowMs }: { body: Buffer; signature: string; nowMs: number },
  { stripe, webhookSecret, isLive }: Reader,
): ProviderNotice | undefined {
  const event = verified(() =>
    stripe.webhooks.constructEvent(body, signature, webhookSecret, toleranceS, undefined, nowMs),
  );
  // An account that is connected to ours, or what was tried out, is none of the money here.
  if (event.account !== undefined || event.livemode !== isLive)
    throw coded('WEBHOOK_FOREIGN', `${event.id} is of another account of Stripe, or of its other mode`);
  return noticeOf(event);
}

function verified(construct: () => Stripe.Event): Stripe.Event {
  try {
    return construct();
  } catch (cause) {
    const isStale = cause instanceof Error && cause.message.includes('tolerance');
    throw coded(isStale ? 'WEBHOOK_STALE' : 'WEBHOOK_SIGNATURE_INVALID', { cause });
  }
}

function noticeOf(event: Stripe.Event): ProviderNotice | undefined {
  const { id } = event;
  switch (event.type) {
    case 'payment_intent.succeeded':
    case 'payment_intent.payment_failed': {
      const intent = event.data.object;
      const {
        nearcast_invoice: invoice,
        nearcast_account: account,
        nearcast_attempt: attempt,
      } = intent.metadata;
      // The same account of Stripe may sell other things.
      if (invoice === undefined || account === undefined) return undefined;
      const asked = { invoice, account, attempt: Number(attempt) };
      const outcome = chargeOutcome(intent);
      return { id, customer: idOf(intent.customer), kind: 'charge', asked, outcome };
    }
    case 'setup_intent.succeeded': {
      const { metadata, customer, payment_method: method } = event.data.object;
      const account = metadata?.['nearcast_account'];
      if (account === undefined) return undefined;
      const about = { id, customer: idOf(customer), account, method: idOf(method) };
      return { ...about, kind: 'method', atMs: event.created * 1000 };
    }
    case 'payment_method.detached': {
      const { previous_attributes: before } = event.data;
      return {
        id,
        customer: idOf(before?.customer ?? null),
        kind: 'method-gone',
        method: event.data.object.id,
      };
    }
    case 'refund.updated':
    case 'refund.failed': {
      const refund = event.data.object;
      const ours = refund.metadata?.['nearcast_refund'];
      if (ours === undefined) return undefined;
      return { id, customer: '', kind: 'refund', refund: ours, outcome: refundOutcome(refund) };
    }
    case 'charge.dispute.created':
    case 'charge.dispute.updated':
    case 'charge.dispute.closed':
    case 'charge.dispute.funds_withdrawn':
    case 'charge.dispute.funds_reinstated':
      return disputeOf(id, event.data.object);
    default:
      return undefined;
  }
}

/** What the states of a dispute say of its money; nothing for inquiries, which take none, and appeals. https://docs.stripe.com/api/disputes/object */
const disputeStates: Readonly<Partial<Record<string, 'open' | 'lost' | 'won'>>> = {
  ...{ needs_response: 'open', under_review: 'open', lost: 'lost', won: 'won', prevented: 'won' },
};

function disputeOf(id: string, dispute: Stripe.Dispute): ProviderNotice | undefined {
  const state = disputeStates[dispute.status];
  const payment = idOf(dispute.payment_intent);
  if (state === undefined || payment === '') return undefined;
  const currency = dispute.currency.toUpperCase();
  const amount = fromStripeAmount(dispute.amount, currency);
  return { id, customer: '', kind: 'dispute', dispute: dispute.id, payment, amount, currency, state };
}

/** Stripe gives an id, or the object itself where that was asked for. */
function idOf(reference: string | { id: string } | null): string {
  return typeof reference === 'string' ? reference : (reference?.id ?? '');
}
