import t from 'tap';

import { auditBilling, dayMs, planOf } from '../../support/billing-lab.ts';
import { anna, asSent, good, openPaidLab } from '../../support/paid-billing-lab.ts';

t.test('what was given up as too little is nobody’s credit when it is credited', async (t) => {
  const lab = await openPaidLab(t);
  const { billing } = lab;
  // Of dinars only Stripe knows what is too little.
  const plan = planOf(16);
  const prices = plan.prices.filter(({ currency }) => currency === 'KWD');
  await billing.offers.putPlan('tiny', { ...plan, prices });
  await lab.payBy(good);
  for (let often = 0; often < 3; often++) {
    const place = { plan: 'tiny', currency: 'KWD', country: 'KW', timeZone: 'Asia/Kuwait' };
    const request = { account: anna, ...place };
    const { id } = await billing.once(lab.ask(), (batch) => billing.subscriptions.add(batch, request));
    await billing.settleDue();
    await billing.once(lab.ask(), (batch) => billing.subscriptions.cancel(batch, id, 'now'));
  }
  t.equal(await billing.invoices.creditOf(anna, 'KWD'), 0, 'nothing was ever paid');
  const [first] = await lab.invoices();
  t.match(first, { gross: 48, open: 0, credited: 48, status: 'uncollectible' });
  const balances = await billing.ledger.balances({ account: 'write-offs' });
  t.strictSame(
    balances.map(({ amount }) => amount),
    [0],
  );
  t.strictSame(await auditBilling(lab), []);
});

t.test('a credit note takes off what is open, then what was given up, and the rest is credit', async (t) => {
  const lab = await openPaidLab(t);
  const { billing } = lab;
  const { unpaid, id: subscription } = await lab.subscribe();
  const invoice = unpaid[0] ?? '';
  const pay = { invoice, amount: 400, currency: 'EUR', reference: 'bank' };
  await billing.once(lab.ask(), (batch) => billing.payments.pay(batch, pay));
  // Seven days to pay, fourteen more, and it ends.
  await lab.pass(22 * dayMs);
  t.match(await billing.subscriptions.view(subscription), { state: 'canceled' });
  t.match(await billing.invoices.view(invoice), { paid: 400, open: 0, status: 'uncollectible' });
  const credit = (amount: number) =>
    billing.once(lab.ask(), (batch) => billing.payments.credit(batch, invoice, { amount, reason: 'Sorry' }));
  await credit(500);
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 0);
  await credit(499);
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 400, 'what was paid');
  t.strictSame(await auditBilling(lab), []);
});

t.test('what was given up and comes after all is no longer given up, by hand or by a card', async (t) => {
  const lab = await openPaidLab(t);
  const { billing, stripe } = lab;
  const { unpaid } = await lab.subscribe();
  const invoice = unpaid[0] ?? '';
  await lab.pass(22 * dayMs);
  t.match(await billing.invoices.view(invoice), { open: 0, givenUp: 999, status: 'uncollectible' });
  const pay = (amount: number) =>
    billing.once(lab.ask(), (batch) =>
      billing.payments.pay(batch, { invoice, amount, currency: 'EUR', reference: 'a late transfer' }),
    );
  await t.rejects(pay(1000), { code: 'AMOUNT_INVALID', message: /999 are to be paid/ });
  t.match(await pay(400), { recovered: 400 });
  t.match(await billing.invoices.view(invoice), { paid: 400, givenUp: 599, status: 'uncollectible' });
  await pay(599);
  t.match(await billing.invoices.view(invoice), { paid: 999, open: 0, givenUp: undefined, status: 'paid' });
  const writeOffs = async () => (await billing.ledger.balances({ account: 'write-offs' }))[0]?.amount;
  t.equal(await writeOffs(), 0);

  // A payment of which the provider tells after the end of the subscription.
  await lab.payBy('pm_slow', 'usr_berta-01');
  await lab.subscribe('usr_berta-01');
  await billing.settleDue();
  await lab.pass(22 * dayMs);
  t.match(await lab.invoices('usr_berta-01'), [{ givenUp: 999, status: 'uncollectible' }]);
  const intent = { ...asSent(stripe, 0), status: 'succeeded', amount_received: 999, currency: 'eur' };
  await lab.tell('payment_intent.succeeded', intent);
  t.match(await lab.invoices('usr_berta-01'), [{ paid: 999, givenUp: undefined, status: 'paid' }]);
  t.equal(await billing.invoices.creditOf('usr_berta-01', 'EUR'), 0, 'what was served is not given away');
  t.equal(await writeOffs(), 0);
  t.strictSame(await auditBilling(lab), []);
});
