import type { Test } from 'tap';

import { openStripeProvider } from '../../../common/adapters/payments/open.ts';
import type { PaymentProvider } from '../../../common/adapters/payments/port.ts';
import { startStripe, stripeEvent, webhookSecret } from '../../support/stripe-server.ts';
import { openBillingLab, planOf, subscriptionOf } from './billing-lab.ts';

const startMs = Date.parse('2026-01-31T12:00:00+01:00');
export const anna = 'usr_anna-0001';
export const good = 'pm_card_visa';
export const poor = 'pm_card_chargeDeclinedInsufficientFunds';

/** Billing that a double of Stripe takes money for; `provider` may be replaced. */
export async function openPaidLab(
  t: Test,
  around: (provider: PaymentProvider) => PaymentProvider = (one) => one,
  more: Pick<Parameters<typeof openBillingLab>[1], 'openLog'> = {},
) {
  const stripe = await startStripe();
  t.teardown(() => stripe.close());
  const provider = around(
    await openStripeProvider({ key: 'sk_test_double', webhookSecret, url: stripe.url }),
  );
  const lab = await openBillingLab(t, { ...more, startMs, provider });
  const { billing, clock } = lab;
  await billing.offers.putPlan('basic', planOf(999));
  let asked = 0;
  const ask = () => ({ caller: 'usr_operator-1', key: `key-${asked++}`, request: [] });
  const tell = async (type: string, object: object, more: object = {}): Promise<void> => {
    const { body, signature } = stripeEvent(type, object, { nowMs: clock.nowMs(), ...more });
    await billing.notices.take(body, signature);
  };
  return {
    ...{ ...lab, stripe, ask, tell },
    /** The person has said how to pay. */
    async payBy(method: string, account = anna, more: object = {}) {
      await billing.payers.enrol(account);
      const { customer } = await customerOf(account);
      await tell('setup_intent.succeeded', { customer, payment_method: method, metadata: { nearcast_account: account } }, more); // prettier-ignore
    },
    subscribe: (account = anna) =>
      billing.once(ask(), (batch) => billing.subscriptions.add(batch, subscriptionOf(account))),
    invoices: (account = anna) => billing.invoices.list({ account, after: 0, limit: 100 }),
  };
  async function customerOf(account: string) {
    const created = stripe.calls.filter(({ route }) => route === 'POST /v1/customers');
    const index = created.findIndex(({ form }) => form['metadata[nearcast_account]'] === account);
    return { customer: `cus_${index + 1}` };
  }
}

/** A payment intent as a notice tells it. */
export const asSent = (stripe: { intents: object[] }, index: number) =>
  stripe.intents[index] as { id: string; customer: string; metadata: object };
