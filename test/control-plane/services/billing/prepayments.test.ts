import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';

import type { PaymentProvider } from '../../../../common/adapters/payments/port.ts';
import { coded } from '../../../../common/runtime/errors.ts';
import { auditBilling } from '../../support/billing-lab.ts';
import { anna, asSent, good, openPaidLab, poor } from '../../support/paid-billing-lab.ts';

const hourMs = 3_600_000;

/** Billing whose provider can be cut off on the way back, and taken away. */
async function openLab(t: Test, method = good) {
  const line = { isCut: false };
  const around = (provider: PaymentProvider): PaymentProvider => ({
    ...provider,
    charge: async (...args) => {
      const outcome = await provider.charge(...args);
      if (line.isCut) throw coded('PROVIDER_UNREACHABLE', 'the line is cut');
      return outcome;
    },
  });
  const lab = await openPaidLab(t, around);
  await lab.payBy(method);
  const { billing } = lab;
  return {
    ...{ ...lab, line },
    take: (key = 'k1', amount = 500) =>
      billing.prepayments.take({ account: anna, amount, currency: 'EUR' }, key),
    payments: () => billing.payments.list({ limit: 10 }),
    credit: () => billing.invoices.creditOf(anna, 'EUR'),
    /** The card is gone. */
    loseCard: () => lab.tell('payment_method.detached', { id: method }, { previous: { customer: 'cus_1' } }),
  };
}

t.test('an answer is lost, then the card: what was taken is found and credited', async (t) => {
  const lab = await openLab(t);
  lab.line.isCut = true;
  await t.rejects(lab.take(), { code: 'PROVIDER_UNREACHABLE' });
  t.match(
    await lab.payments(),
    [{ amount: 500, state: 'pending' }],
    'it stands in the books before it is known',
  );
  t.equal(await lab.credit(), 0);
  await lab.loseCard();
  lab.line.isCut = false;
  const payment = await lab.take();
  t.match(await lab.payments(), [{ id: payment, providerPayment: 'pi_1', state: undefined }]);
  t.equal(await lab.take(), payment, 'the same to whoever asks again');
  t.equal(lab.stripe.intents.length, 1);
  t.equal(await lab.credit(), 500);
  await lab.clock.advance(2 * hourMs);
  await lab.billing.settleDue();
  t.equal(lab.stripe.refunds.length, 0, 'what somebody has is not given back');
  t.strictSame(await auditBilling(lab), []);
});

t.test('what nobody asks for any more is looked up, booked and given back', async (t) => {
  const lab = await openLab(t);
  lab.line.isCut = true;
  await t.rejects(lab.take(), { code: 'PROVIDER_UNREACHABLE' });
  await lab.loseCard();
  await lab.billing.settleDue();
  t.match(await lab.payments(), [{ state: 'pending' }], 'not while somebody may ask');
  await lab.clock.advance(hourMs);
  // Nor is anything taken by looking.
  lab.stripe.before = (_call, reply) => reply.destroy() as unknown as undefined;
  await lab.billing.settleDue();
  t.match(await lab.payments(), [{ state: 'pending' }]);
  lab.stripe.before = () => undefined;
  await lab.clock.advance(hourMs);
  await lab.billing.settleDue();
  t.match(lab.stripe.refunds, [{ amount: 500, payment_intent: 'pi_1' }]);
  t.equal(lab.stripe.intents.length, 1);
  t.equal(await lab.credit(), 0);
  await t.rejects(lab.take(), { code: 'PAYMENT_FAILED' }, 'whoever asks then hears that it went back');
  await lab.clock.advance(8 * 24 * hourMs);
  await lab.billing.settleDue();
  t.strictSame(await auditBilling(lab), []);
});

t.test('what never came to the provider is void', async (t) => {
  const lab = await openLab(t);
  lab.stripe.before = ({ route }, reply) => {
    if (route === 'POST /v1/payment_intents') reply.destroy();
  };
  await t.rejects(lab.take(), { code: 'PROVIDER_UNREACHABLE' });
  lab.stripe.before = () => undefined;
  await lab.clock.advance(hourMs);
  await lab.billing.settleDue();
  t.match(await lab.payments(), [{ state: 'failed' }]);
  t.equal(lab.stripe.intents.length, 0);
  await t.rejects(lab.take(), { code: 'PAYMENT_FAILED', message: /never taken/ });
  t.strictSame(await auditBilling(lab), []);
});

t.test('what is declined is void, and by another key may be taken', async (t) => {
  const lab = await openLab(t, poor);
  await t.rejects(lab.take(), { code: 'PAYMENT_FAILED', message: /insufficient_funds/ });
  await t.rejects(lab.take(), { code: 'PAYMENT_FAILED', message: /insufficient_funds/ });
  t.equal(lab.stripe.intents.length, 1);
  await lab.payBy(good);
  t.ok(await lab.take('k2'));
  t.match((await lab.payments()).map(({ state }) => state).sort(), ['failed', undefined]);
  t.equal(await lab.credit(), 500);
});

t.test('notices tell of it too, in time, late, and of others', async (t) => {
  const lab = await openLab(t, 'pm_slow');
  await t.rejects(lab.take(), { code: 'UNAVAILABLE' });
  const sent = { ...asSent(lab.stripe, 0), status: 'succeeded', amount_received: 500, currency: 'eur' };
  const foreign = { code: 'WEBHOOK_FOREIGN' };
  await t.rejects(lab.tell('payment_intent.succeeded', { ...sent, customer: 'cus_other' }), foreign);
  const metadata = { ...sent.metadata, nearcast_invoice: 'prepay-unknown' };
  await t.rejects(lab.tell('payment_intent.succeeded', { ...sent, metadata }), foreign);
  for (let twice = 0; twice < 2; twice++) await lab.tell('payment_intent.succeeded', sent);
  t.equal(await lab.credit(), 500);
  const payment = await lab.take();
  t.match(await lab.payments(), [{ id: payment, state: undefined }]);

  // It comes when it was given up already: it is the account's all the same.
  await t.rejects(lab.take('k2'), { code: 'UNAVAILABLE' });
  const late = { ...asSent(lab.stripe, 1), currency: 'eur' };
  await lab.tell('payment_intent.payment_failed', { ...late, status: 'requires_payment_method' });
  await t.rejects(lab.take('k2'), { code: 'PAYMENT_FAILED' });
  await lab.tell('payment_intent.succeeded', { ...late, status: 'succeeded', amount_received: 500 });
  t.equal(await lab.credit(), 1000);
  t.strictSame(await auditBilling(lab), []);
});

t.test(
  'what is refused because of us is asked for anew once that is mended, by the card of then',
  async (t) => {
    const lab = await openLab(t);
    lab.stripe.after = ({ route }, reply) => {
      if (route !== 'POST /v1/payment_intents') return;
      lab.stripe.intents.length = 0;
      const error = { type: 'invalid_request_error', code: 'parameter_unknown', message: 'No' };
      reply.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
    };
    await t.rejects(lab.take(), { code: 'PROVIDER_REFUSED' });
    t.match(await lab.payments(), [{ state: 'pending' }]);
    lab.stripe.after = () => undefined;
    await lab.payBy('pm_other');
    const payment = await lab.take();
    t.match(lab.stripe.intents, [{ metadata: { nearcast_attempt: '1' } }]);
    const sent = lab.stripe.calls.filter(({ route }) => route === 'POST /v1/payment_intents');
    t.strictSame(
      sent.map(({ key, form }) => [key, form['payment_method']]),
      [
        ['charge-prepay-k1-0', good],
        ['charge-prepay-k1-1', 'pm_other'],
      ],
    );
    t.equal(await lab.take(), payment);
    t.equal(await lab.credit(), 500);

    await t.rejects(lab.take('k1', 501), { code: 'IDEMPOTENCY_KEY_REUSED' });
    t.equal(await lab.credit(), 500);
  },
);

t.test('one that was refused and that nobody asks for any more is void', async (t) => {
  const lab = await openLab(t);
  lab.stripe.before = ({ route }, reply) => {
    if (route !== 'POST /v1/payment_intents') return;
    const error = { type: 'invalid_request_error', code: 'parameter_unknown', message: 'No' };
    reply.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  };
  for (let twice = 0; twice < 2; twice++) await t.rejects(lab.take(), { code: 'PROVIDER_REFUSED' });
  lab.stripe.before = () => undefined;
  await lab.clock.advance(hourMs);
  await lab.billing.settleDue();
  t.match(await lab.payments(), [{ state: 'failed' }]);
  t.equal(lab.stripe.intents.length, 0);
  t.strictSame(await auditBilling(lab), []);
});

t.test('one that is asked for while it is given back is had or given back, never both', async (t) => {
  for (const turns of [0, 1, 2, 3, 5, 8, 13, 21]) {
    const lab = await openLab(t, 'pm_slow');
    await t.rejects(lab.take(), { code: 'UNAVAILABLE' });
    const sent = { ...asSent(lab.stripe, 0), status: 'succeeded', amount_received: 500, currency: 'eur' };
    await lab.tell('payment_intent.succeeded', sent);
    await lab.clock.advance(hourMs);
    const settled = lab.billing.settleDue();
    for (let turn = 0; turn < turns; turn++) await setImmediate();
    const had = await lab.take().catch(() => undefined);
    await settled;
    await lab.billing.settleDue();
    t.equal(lab.stripe.refunds.length, had === undefined ? 1 : 0, `after ${turns} turns`);
    t.equal(await lab.credit(), had === undefined ? 0 : 500);
    await lab.clock.advance(8 * 24 * hourMs);
    await lab.billing.settleDue();
    t.strictSame(await lab.books.scan('prepayments-due', {}), [], 'nothing is left to be looked after');
    t.strictSame(await auditBilling(lab), []);
  }
});

t.test('what an account has paid, got back and was credited is handed over to it', async (t) => {
  const lab = await openLab(t);
  const { billing } = lab;
  await lab.subscribe();
  await billing.settleDue();
  await lab.take();
  const [bill] = await lab.invoices();
  const note = { amount: 99, reason: 'Sorry' };
  await billing.once(lab.ask(), (batch) => billing.payments.credit(batch, bill?.id ?? '', note));
  const refund = { account: anna, amount: 40, currency: 'EUR', reference: 'by hand' };
  await billing.once(lab.ask(), (batch) => billing.payments.refund(batch, refund));
  await lab.payBy(good, 'usr_anna-0001-b');
  t.match(await billing.personal.export('usr_anna-0001-b'), { payments: [], invoices: [] });
  const { payments, ...rest } = (await billing.personal.export(anna)) as { payments: { amount: number }[] };
  t.match(rest, {
    invoices: [{ gross: 999, status: 'paid' }],
    creditNotes: [{ gross: 99, reason: 'Sorry' }],
    credit: [{ currency: 'EUR', amount: 559 }],
    payment: { hasMethod: true, provider: 'stripe' },
  });
  t.strictSame(payments.map(({ amount }) => amount).sort(), [40, 500, 999]);
  t.equal(await billing.personal.export('usr_nobody-01'), undefined);
});
