import t from 'tap';

import { auditBilling, dayMs } from '../../support/billing-lab.ts';
import { anna, asSent, good, openPaidLab as openLab, poor } from '../../support/paid-billing-lab.ts';

t.setTimeout(120_000);

t.test('invoices are paid by themselves', async (t) => {
  const lab = await openLab(t);
  const { billing, stripe, pass } = lab;
  t.match(await billing.payers.page(anna, 'https://tv.example/back'), 'https://checkout.stripe.com/');
  t.strictSame(await billing.payers.view(anna), { account: anna, hasMethod: false, provider: 'stripe' });
  await lab.payBy(good);
  t.match(await billing.payers.view(anna), { hasMethod: true });
  const { id } = await lab.subscribe();
  await billing.settleDue();
  t.match(await lab.invoices(), [{ status: 'paid', paid: 999 }]);
  t.match(await billing.subscriptions.view(id), { state: 'active', unpaid: { length: 0 } });
  await pass(60 * dayMs);
  t.match(await lab.invoices(), [{ status: 'paid' }, { status: 'paid' }, { status: 'paid' }]);
  t.equal(stripe.intents.length, 3);
  t.match(await billing.payments.list({ limit: 10 }), [
    { provider: 'stripe', providerPayment: /^pi_/ },
    { provider: 'stripe' },
    { provider: 'stripe' },
  ]);
  // What Stripe tells of it comes late, twice, and changes nothing.
  for (let twice = 0; twice < 2; twice++)
    await lab.tell('payment_intent.succeeded', asSent(stripe, 0), { id: 'evt_paid' });
  await lab.tell('payment_intent.payment_failed', {
    ...asSent(stripe, 0),
    status: 'requires_payment_method',
  });
  t.equal((await billing.payments.list({ limit: 10 })).length, 3);
  t.strictSame(await auditBilling(lab), []);
});

t.test('what fails is tried again, until it is paid another way', async (t) => {
  const lab = await openLab(t);
  const { billing, stripe, pass } = lab;
  await lab.payBy(poor);
  const { id } = await lab.subscribe();
  await billing.settleDue();
  const [invoice] = await lab.invoices();
  const collections = () => billing.collecting.list({ limit: 10 });
  t.match(await collections(), [
    { invoice: invoice?.id, state: 'due', attempt: 1, reason: 'insufficient_funds' },
  ]);
  await billing.settleDue();
  t.equal(stripe.intents.length, 1, 'not before its day');
  await pass(8 * dayMs);
  t.match(await billing.subscriptions.view(id), { state: 'past_due' });
  t.equal(stripe.intents.length, 3, 'on the second and on the fifth day');
  await lab.payBy(good);
  await billing.settleDue();
  t.match(await billing.subscriptions.view(id), { state: 'active', unpaid: { length: 0 } });
  t.match(await collections(), [{ state: 'paid' }]);
  t.strictSame(await auditBilling(lab), []);
});

t.test('one who never pays is asked five times, and then no more', async (t) => {
  const lab = await openLab(t);
  const { billing, stripe, pass } = lab;
  await lab.payBy(poor);
  const { id } = await lab.subscribe();
  await pass(22 * dayMs);
  t.match(await billing.subscriptions.view(id), { state: 'canceled' });
  t.equal(stripe.intents.length, 5);
  t.match(await billing.collecting.list({ limit: 10 }), [{ state: 'failed', attempt: 5 }]);
  t.match(await lab.invoices(), [{ status: 'uncollectible' }]);
  // A card that was stolen is not asked again at all.
  await lab.payBy('pm_card_chargeDeclinedStolenCard', 'usr_berta-01');
  await lab.subscribe('usr_berta-01');
  await pass(20 * dayMs);
  t.equal(stripe.intents.length, 6);
  t.strictSame(await auditBilling(lab), []);
});

t.test('a provider that cannot be reached, or whose answer is lost', async (t) => {
  const lab = await openLab(t);
  const { billing, stripe, clock } = lab;
  await lab.payBy(good);
  await lab.subscribe();
  stripe.after = ({ route }, reply) => {
    if (route === 'POST /v1/payment_intents') reply.destroy();
  };
  await billing.settleDue();
  t.match(await billing.collecting.list({ limit: 10 }), [{ state: 'sent', attempt: 0 }]);
  stripe.before = (_call, reply) => reply.destroy() as unknown as undefined;
  await clock.advance(60_000);
  await billing.settleDue();
  stripe.before = stripe.after = () => undefined;
  await clock.advance(60_000);
  await billing.settleDue();
  t.match(await lab.invoices(), [{ status: 'open' }], 'it waits longer each time');
  await clock.advance(60_000);
  await billing.settleDue();
  t.match(await lab.invoices(), [{ status: 'paid' }]);
  t.equal(stripe.intents.length, 1, 'charged once');
  t.strictSame(await auditBilling(lab), []);
});

t.test('what Stripe refuses because of us waits until it is mended', async (t) => {
  const lab = await openLab(t);
  const { billing, stripe, pass } = lab;
  await lab.payBy(good);
  const { id } = await lab.subscribe();
  stripe.before = (_call, reply) => {
    const error = { type: 'invalid_request_error', code: 'parameter_unknown', message: 'No' };
    reply.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  };
  await billing.settleDue();
  const waiting = { state: 'due', attempt: 0, reason: /^Stripe: parameter_unknown/ };
  t.match(await billing.collecting.list({ limit: 10 }), [waiting], 'nothing is out');
  // What is asked for then is what there is to pay then, by the card of then.
  const [invoice] = await lab.invoices();
  const byHand = { invoice: invoice?.id ?? '', amount: 900, currency: 'EUR', reference: 'bank' };
  await billing.once(lab.ask(), (batch) => billing.payments.pay(batch, byHand));
  await lab.payBy('pm_other');
  await billing.settleDue();
  stripe.before = () => undefined;
  await pass(dayMs / 4);
  t.match(await lab.invoices(), [{ status: 'paid' }]);
  t.match(stripe.intents, [{ amount: 99, metadata: { nearcast_attempt: '2' } }]);
  t.match(await billing.subscriptions.view(id), { state: 'active' });
  t.strictSame(await auditBilling(lab), []);
});

t.test(
  'what came to nobody and is then refused for good holds neither dunning nor another card',
  async (t) => {
    const lab = await openLab(t);
    const { billing, stripe, clock } = lab;
    await lab.payBy(good);
    await lab.subscribe();
    stripe.before = ({ route }, reply) => {
      if (route === 'POST /v1/payment_intents') reply.destroy();
    };
    await billing.settleDue();
    t.match(await billing.collecting.list({ limit: 10 }), [{ state: 'sent' }]);
    stripe.before = ({ route }, reply) => {
      if (route !== 'POST /v1/payment_intents') return;
      const error = { type: 'invalid_request_error', code: 'resource_missing', message: 'No such customer' };
      reply.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
    };
    await clock.advance(60_000);
    await billing.settleDue();
    const refused = { state: 'due', attempt: 0, reason: /^Stripe: resource_missing/ };
    t.match(await billing.collecting.list({ limit: 10 }), [refused]);
    stripe.before = () => undefined;
    await lab.payBy('pm_other');
    await billing.settleDue();
    t.match(await lab.invoices(), [{ status: 'paid' }]);
    t.match(stripe.intents, [{ metadata: { nearcast_attempt: '1' } }]);
    t.strictSame(await auditBilling(lab), []);
  },
);

t.test('a refusal after an answer was lost says nothing of what was taken', async (t) => {
  const lab = await openLab(t);
  const { billing, stripe, pass } = lab;
  await lab.payBy(good);
  await lab.subscribe();
  stripe.after = ({ route }, reply) => {
    if (route === 'POST /v1/payment_intents') reply.destroy();
  };
  await billing.settleDue();
  stripe.after = () => undefined;
  stripe.before = (_call, reply) => {
    const error = { type: 'invalid_request_error', message: 'Invalid API Key provided' };
    reply.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  };
  await lab.clock.advance(60_000);
  await billing.settleDue();
  t.match(await billing.collecting.list({ limit: 10 }), [{ state: 'sent' }]);
  stripe.before = () => undefined;
  await pass(dayMs / 4);
  t.match(await lab.invoices(), [{ status: 'paid' }]);
  t.equal(stripe.intents.length, 1);
});

t.test('notices before answers, of late attempts, of others', async (t) => {
  const lab = await openLab(t);
  const { billing, stripe, clock } = lab;
  await lab.payBy('pm_slow');
  await lab.subscribe();
  await billing.settleDue();
  t.match(await billing.collecting.list({ limit: 10 }), [{ state: 'pending' }]);
  const sent = { ...asSent(stripe, 0), status: 'succeeded', amount_received: 999, currency: 'eur' };
  const foreign = { code: 'WEBHOOK_FOREIGN' };
  await t.rejects(lab.tell('payment_intent.succeeded', { ...sent, customer: 'cus_other' }), foreign);
  for (const metadata of [
    { nearcast_invoice: 'inv_unknown-1', nearcast_account: anna, nearcast_attempt: '0' },
    { ...sent.metadata, nearcast_account: 'usr_berta-01' },
  ])
    await t.rejects(lab.tell('payment_intent.succeeded', { ...sent, metadata }), foreign);
  await t.rejects(
    lab.tell('setup_intent.succeeded', { customer: 'cus_9', payment_method: 'pm_9', metadata: { nearcast_account: anna } }), // prettier-ignore
    foreign,
  );
  t.match(await lab.invoices(), [{ status: 'open' }]);

  // Paid by hand meanwhile: what comes then is the account's credit.
  const [invoice] = await lab.invoices();
  const byHand = { invoice: invoice?.id ?? '', amount: 900, currency: 'EUR', reference: 'bank' };
  await billing.once(lab.ask(), (batch) => billing.payments.pay(batch, byHand));
  await lab.tell('payment_intent.succeeded', sent);
  t.match(await lab.invoices(), [{ status: 'paid', paid: 999 }]);
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 900);

  // Said later, comes earlier.
  await lab.payBy('pm_new', anna, { fields: { created: Math.floor(clock.nowMs() / 1000) + 10 } });
  await lab.payBy('pm_old', anna);
  await lab.tell('payment_method.detached', { id: 'pm_old' }, { previous: { customer: 'cus_1' } });
  t.match(await billing.payers.view(anna), { hasMethod: true });
  await lab.tell('payment_method.detached', { id: 'pm_new' }, { previous: { customer: 'cus_1' } });
  t.match(await billing.payers.view(anna), { hasMethod: false });
  t.strictSame(await auditBilling(lab), []);
});

t.test('what a prepayment has left goes back, and what fails after it went comes back', async (t) => {
  const lab = await openLab(t);
  const { billing, stripe } = lab;
  await lab.payBy(good);
  const take = (key: string) =>
    billing.prepayments.take({ account: anna, amount: 500, currency: 'EUR' }, key);
  const [payment = '', other = ''] = [await take('k1'), await take('k2')];
  const request = { account: anna, amount: 200, currency: 'EUR', reference: 'Sorry', payment };
  const { id } = await billing.once(lab.ask(), (batch) => billing.payments.refund(batch, request));
  for (let twice = 0; twice < 2; twice++) await billing.prepayments.giveBack(payment, 'k1:undo');
  await t.rejects(billing.prepayments.giveBack('pay_nothing-1', 'k3'), { code: 'PAYMENT_UNKNOWN' });
  await billing.settleDue();
  t.strictSame(stripe.refunds.map(({ amount }) => amount).sort(), [200, 300]);
  const credit = () => billing.invoices.creditOf(anna, 'EUR');
  const paid = async (of: string) =>
    (await billing.payments.list({ limit: 10 })).find((one) => one.id === of);
  t.equal(await credit(), 500);
  t.match(await paid(payment), { refunded: 500 });
  t.equal((await paid(other))?.refunded, undefined);

  // The bank sends back days later what had gone.
  const about = { metadata: { nearcast_refund: id } };
  const returned = { ...about, status: 'failed', failure_reason: 'expired_or_canceled_card' };
  for (let twice = 0; twice < 2; twice++) await lab.tell('refund.failed', returned);
  await lab.tell('refund.updated', { ...about, status: 'succeeded' });
  t.match(await paid(id), { state: 'failed' });
  t.equal(await credit(), 700);
  t.match(await paid(payment), { refunded: 300 });
  t.match(await billing.ledger.balances({ account: 'cash:stripe' }), [{ amount: 700 }]);
  t.match(await billing.ledger.balances({ account: 'transit:stripe' }), [{ amount: 0 }]);
  await billing.once(lab.ask(), (batch) => billing.payments.refund(batch, request));
  const { payment: _byHand, ...byHand } = request;
  const { id: manual } = await billing.once(lab.ask(), (batch) => billing.payments.refund(batch, byHand));
  await t.rejects(lab.tell('refund.failed', { ...returned, metadata: { nearcast_refund: manual } }), {
    code: 'WEBHOOK_FOREIGN',
  });
  t.strictSame(await auditBilling(lab), []);
});

t.test('refunds the way the payment came', async (t) => {
  const lab = await openLab(t);
  const { billing, stripe, clock } = lab;
  await lab.payBy(good);
  const { id } = await lab.subscribe();
  await billing.settleDue();
  const [payment] = await billing.payments.list({ limit: 10 });
  await billing.once(lab.ask(), (batch) => billing.subscriptions.cancel(batch, id, 'now'));
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 999);
  const refund = (amount: number, by = payment?.id ?? '') =>
    billing.once(lab.ask(), (batch) =>
      billing.payments.refund(batch, {
        account: anna,
        amount,
        currency: 'EUR',
        reference: 'Sorry',
        payment: by,
      }),
    );
  await t.rejects(refund(1000), { code: 'AMOUNT_INVALID' });
  await t.rejects(refund(1, 'pay_nothing-1'), { code: 'PAYMENT_UNKNOWN' });
  t.match(await refund(400), { kind: 'refund', state: 'pending', provider: 'stripe' });
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 599, 'it cannot be used up meanwhile');
  await billing.settleDue();
  await billing.settleDue();
  t.match(stripe.refunds, [{ amount: 400, payment_intent: payment?.providerPayment }]);
  t.match(await billing.ledger.balances({ account: 'transit:stripe' }), [{ amount: 0 }]);
  t.match(await billing.ledger.balances({ account: 'cash:stripe' }), [{ amount: 599 }]);

  stripe.refundStatus = 'pending';
  const { id: second } = await refund(599);
  await billing.settleDue();
  await t.rejects(refund(1), { code: 'AMOUNT_INVALID' });
  const notice = {
    id: 're_2',
    status: 'failed',
    failure_reason: 'lost',
    metadata: { nearcast_refund: second },
  };
  await lab.tell('refund.failed', notice);
  await lab.tell('refund.failed', notice);
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 599, 'the account has its credit again');
  await t.rejects(lab.tell('refund.failed', { ...notice, metadata: { nearcast_refund: payment?.id } }), {
    code: 'WEBHOOK_FOREIGN',
  });
  await clock.advance(2 * 3_600_000);
  await billing.settleDue();
  t.equal(stripe.refunds.length, 2, 'what is given up is not asked for again');
  t.strictSame(await auditBilling(lab), []);
});

t.test('an account that was erased, or is just then, has no customer of the provider', async (t) => {
  const lab = await openLab(t);
  const { billing, stripe } = lab;
  stripe.after = async ({ route }) => {
    if (route === 'POST /v1/customers') await billing.personal.erase(anna);
  };
  await t.rejects(billing.payers.enrol(anna), { code: 'ACCOUNT_UNKNOWN' });
  t.strictSame([...stripe.customers], [], 'what was made for it in between is removed');
  await t.rejects(billing.payers.page(anna, 'https://tv.example/'), { code: 'ACCOUNT_UNKNOWN' });
  t.strictSame([...stripe.customers], []);
  t.strictSame(await lab.books.scan('payers', {}), []);
});
