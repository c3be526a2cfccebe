import t, { type Test } from 'tap';

import { openStripeProvider } from '../../../../common/adapters/payments/open.ts';
import { startStripe, stripeEvent, webhookSecret } from '../../../support/stripe-server.ts';

const nowMs = Date.UTC(2026, 0, 1);

async function openLab(t: Test, key = 'sk_test_double') {
  const stripe = await startStripe();
  t.teardown(() => stripe.close());
  const provider = await openStripeProvider({ key, webhookSecret, url: stripe.url });
  const customer = key === 'sk_test_double' ? await provider.createCustomer('usr_anna-0001') : '';
  const charge = (method: string, attempt = 0, isRepeat = false) =>
    provider.charge(
      {
        ...{ invoice: 'inv_one-0001', account: 'usr_anna-0001', attempt, customer, method },
        ...{ amount: 999, currency: 'EUR' },
      },
      { isRepeat },
    );
  return { stripe, provider, customer, charge };
}

t.test('charges', async (t) => {
  const { stripe, provider, customer, charge } = await openLab(t);
  t.equal(await provider.createCustomer('usr_anna-0001'), customer, 'an account is one customer');
  const paid = { kind: 'paid', payment: 'pi_1', amount: 999, currency: 'EUR' };
  t.strictSame(await charge('pm_card_visa'), paid);
  t.strictSame(await charge('pm_card_visa'), paid, 'the same attempt is charged once');
  t.strictSame(await charge('pm_card_visa', 0, true), paid);
  t.equal(stripe.intents.length, 1);
  t.match(stripe.calls.find(({ route }) => route === 'POST /v1/payment_intents')?.form, {
    ...{ amount: '999', currency: 'eur', confirm: 'true', off_session: 'true', customer },
    'metadata[nearcast_invoice]': 'inv_one-0001',
    'metadata[nearcast_attempt]': '0',
  });
  t.strictSame(await charge('pm_card_chargeDeclinedInsufficientFunds', 1), {
    ...{ kind: 'failed', reason: 'insufficient_funds', isFinal: false },
  });
  t.match(await charge('pm_card_chargeDeclinedStolenCard', 2), { reason: 'stolen_card', isFinal: true });
  t.match(await charge('pm_card_authenticationRequired', 3), { isFinal: true });
  t.strictSame(await charge('pm_slow', 4), { kind: 'pending' });
  t.match(await charge('pm_card_visa', 2, true), { kind: 'failed', reason: 'stolen_card' }, 'as it was then');
  t.match(await charge('pm_card_visa', 5, true), { kind: 'paid' }, 'nothing was sent then');
});

t.test('a charge whose answer is lost is found again, however long ago', async (t) => {
  const { stripe, charge } = await openLab(t);
  stripe.after = ({ route }, reply) => {
    if (route === 'POST /v1/payment_intents') reply.destroy();
  };
  await t.rejects(charge('pm_card_visa'), { code: 'PROVIDER_UNREACHABLE' });
  stripe.after = () => undefined;
  t.match(await charge('pm_other', 0, true), { kind: 'paid', payment: 'pi_1' });
  t.equal(stripe.intents.length, 1);
});

t.test('refunds', async (t) => {
  const { stripe, provider, charge } = await openLab(t);
  await charge('pm_card_visa');
  const refund = (id: string, payment = 'pi_1') =>
    provider.refund({ refund: id, payment, amount: 100, currency: 'EUR' });
  t.strictSame(await refund('pay_one-0001'), { kind: 'done' });
  t.strictSame(await refund('pay_one-0001'), { kind: 'done' });
  t.equal(stripe.refunds.length, 1, 'once for its id');
  stripe.refundStatus = 'pending';
  t.strictSame(await refund('pay_two-0001'), { kind: 'pending' });
  stripe.refundStatus = 'failed';
  t.strictSame(await refund('pay_three-01'), { kind: 'failed', reason: 'expired_or_canceled_card' });
  // A payment that is not there is one of another account of Stripe: it may have been given back there.
  await t.rejects(refund('pay_four-001', 'pi_none'), { code: 'PROVIDER_REFUSED' });
});

t.test('a refund is made once, however long ago it was asked for first', async (t) => {
  const { stripe, provider, charge } = await openLab(t);
  await charge('pm_card_visa');
  const refund = (id: string, amount: number, currency = 'EUR') =>
    provider.refund({ refund: id, payment: 'pi_1', amount, currency });
  stripe.after = ({ route }, reply) => {
    if (route === 'POST /v1/refunds') reply.destroy();
  };
  for (const [id, amount] of [
    ['pay_one-0001', 400],
    ['pay_two-0001', 599],
  ] as const)
    await t.rejects(refund(id, amount), { code: 'PROVIDER_UNREACHABLE' });
  stripe.after = () => undefined;
  stripe.forgetKeys();
  t.strictSame(await refund('pay_one-0001', 400), { kind: 'done' });
  t.strictSame(await refund('pay_two-0001', 599), { kind: 'done' }, 'all of the payment is given back');
  t.equal(stripe.refunds.length, 2);
  t.strictSame(await refund('pay_three-01', 1), { kind: 'failed', reason: 'charge_already_refunded' });
  t.match(await refund('pay_four-001', 1005, 'KWD'), { kind: 'failed', reason: /KWD in steps of 10/ });
});

t.test('a request that Stripe refuses is final for the way of paying alone', async (t) => {
  const { stripe, charge } = await openLab(t);
  const refuse = (status: number, code: string | undefined) => {
    stripe.before = (_call, reply) => {
      const error = { type: 'invalid_request_error', message: 'No', ...(code && { code }) };
      reply.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
    };
  };
  refuse(400, 'amount_too_small');
  t.strictSame(await charge('pm_card_visa'), { kind: 'too-small' });
  for (const code of ['payment_method_unexpected_state', 'amount_too_large']) {
    refuse(400, code);
    t.strictSame(await charge('pm_card_visa'), { kind: 'failed', reason: code, isFinal: true });
  }
  for (const [status, code] of [
    [400, 'parameter_unknown'],
    [404, 'resource_missing'],
    [400, undefined],
  ] as const) {
    refuse(status, code);
    t.match(await charge('pm_card_visa'), { kind: 'refused', reason: /^Stripe: / });
  }
  stripe.before = () => undefined;
  t.match(await charge('pm_card_visa'), { kind: 'paid' });
});

t.test('what Stripe answers with errors', async (t) => {
  const { provider, stripe, customer } = await openLab(t);
  const wrong = await openLab(t, 'sk_test_of_somebody_else');
  const refused = await wrong.provider.createCustomer('usr_anna-0001').catch((error: unknown) => error);
  t.match(refused, { code: 'PROVIDER_REFUSED' });
  t.notMatch(String(refused), 'sk_test', 'no key in an error');
  t.match(await wrong.charge('pm_card_visa'), { kind: 'refused' });
  await t.rejects(
    wrong.charge('pm_card_visa', 0, true),
    { code: 'PROVIDER_REFUSED' },
    'what became of it before is not known',
  );
  stripe.before = (_call, reply) => {
    reply.writeHead(500, { 'content-type': 'application/json' }).end('{"error":{"type":"api_error"}}');
    reply.destroy();
  };
  await t.rejects(provider.createCustomer('usr_berta-01'), { code: 'PROVIDER_UNREACHABLE' });
  stripe.before = () => undefined;
  t.match(await provider.setupPage({ customer, account: 'usr_anna-0001', returnUrl: 'https://tv.example/' }), 'https://checkout.stripe.com/'); // prettier-ignore
  await provider.removeCustomer(customer);
  await provider.removeCustomer(customer);
  t.equal(stripe.customers.size, 0);
});

t.test('notices: what is signed, by whom, when, and about what', async (t) => {
  const { provider } = await openLab(t);
  const metadata = {
    nearcast_invoice: 'inv_one-0001',
    nearcast_account: 'usr_anna-0001',
    nearcast_attempt: '2',
  };
  const intent = { id: 'pi_1', status: 'succeeded', amount_received: 999, currency: 'eur', customer: 'cus_1', metadata }; // prettier-ignore
  const read = ({ body, signature }: { body: Buffer; signature: string }, atMs = nowMs) =>
    provider.readNotice(body, signature, atMs);
  const event = (type: string, object: object, more: object = {}) =>
    stripeEvent(type, object, { nowMs, ...more });
  const paid = event('payment_intent.succeeded', intent, { id: 'evt_1' });
  t.strictSame(read(paid), {
    ...{ id: 'evt_1', customer: 'cus_1', kind: 'charge' },
    asked: { invoice: 'inv_one-0001', account: 'usr_anna-0001', attempt: 2 },
    outcome: { kind: 'paid', payment: 'pi_1', amount: 999, currency: 'EUR' },
  });
  t.ok(read(paid, nowMs + 300_000));
  t.throws(() => read(paid, nowMs + 301_000), { code: 'WEBHOOK_STALE' });
  for (const signature of ['', 'nonsense', 't=1', paid.signature.replace(/v1=../, 'v1=00')])
    t.throws(() => read({ ...paid, signature }), { code: 'WEBHOOK_SIGNATURE_INVALID' });
  const forged = Buffer.from(paid.body.toString().replace('999', '998'));
  t.throws(() => read({ ...paid, body: forged }), { code: 'WEBHOOK_SIGNATURE_INVALID' });
  t.throws(() => read(event('payment_intent.succeeded', intent, { secret: 'whsec_other' })), {
    code: 'WEBHOOK_SIGNATURE_INVALID',
  });
  for (const fields of [{ account: 'acct_other' }, { livemode: true }])
    t.throws(() => read(event('payment_intent.succeeded', intent, { fields })), { code: 'WEBHOOK_FOREIGN' });
  t.equal(read(event('payment_intent.succeeded', { ...intent, metadata: {} })), undefined, 'not ours');
  t.equal(read(event('invoice.created', { id: 'in_1' })), undefined);
  t.match(
    read(event('payment_intent.payment_failed', { ...intent, status: 'requires_payment_method', last_payment_error: { code: 'card_declined', decline_code: 'lost_card' } })), // prettier-ignore
    { outcome: { kind: 'failed', reason: 'lost_card', isFinal: true } },
  );
  t.match(read(event('setup_intent.succeeded', { customer: 'cus_1', payment_method: 'pm_1', metadata })), {
    kind: 'method',
    account: 'usr_anna-0001',
    method: 'pm_1',
    atMs: nowMs,
  });
  t.match(
    read(
      event('payment_method.detached', { id: 'pm_1', customer: null }, { previous: { customer: 'cus_1' } }),
    ),
    { kind: 'method-gone', customer: 'cus_1', method: 'pm_1' },
  );
  t.match(
    read(
      event('refund.failed', {
        status: 'failed',
        failure_reason: 'x',
        metadata: { nearcast_refund: 'pay_1' },
      }),
    ),
    { kind: 'refund', refund: 'pay_1', outcome: { kind: 'failed', reason: 'x' } },
  );
});
