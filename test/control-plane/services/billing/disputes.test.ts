import fc from 'fast-check';
import t, { type Test } from 'tap';

import {
  disputeLines,
  heldFrom,
  heldOfNote,
  type DisputeState,
} from '../../../../control-plane/services/billing/core/dispute.ts';
import { auditBilling, dayMs, planOf } from '../../support/billing-lab.ts';
import { anna, asSent, good, openPaidLab } from '../../support/paid-billing-lab.ts';

/** An account that has paid 999 for a period. */
async function openLab(t: Test) {
  const lab = await openPaidLab(t);
  const { billing } = lab;
  await lab.payBy(good);
  await lab.subscribe();
  await billing.settleDue();
  const [payment] = await billing.payments.list({ limit: 10 });
  const tell = (status: string, more: object = {}, type = 'charge.dispute.updated') => {
    const dispute = { id: 'dp_1', payment_intent: payment?.providerPayment, amount: 999, currency: 'eur' };
    return lab.tell(type, { ...dispute, status, ...more });
  };
  const balance = async (account: string) => (await billing.ledger.balances({ account }))[0]?.amount ?? 0;
  const money = async () => ({
    cash: await balance('cash:stripe'),
    disputed: await balance('disputed:stripe'),
    lost: await balance('chargebacks'),
  });
  return { ...lab, id: payment?.id ?? '', tell, notify: lab.tell, money };
}

t.test('what a bank takes back is not ours until it is decided', async (t) => {
  const lab = await openLab(t);
  const { billing, id } = lab;
  t.strictSame(await lab.money(), { cash: 999, disputed: 0, lost: 0 });
  await lab.tell('warning_needs_response');
  t.strictSame(await lab.money(), { cash: 999, disputed: 0, lost: 0 }, 'an inquiry takes nothing');
  for (const type of ['charge.dispute.created', 'charge.dispute.funds_withdrawn'])
    await lab.tell('needs_response', {}, type);
  t.strictSame(await lab.money(), { cash: 0, disputed: 999, lost: 0 });
  const [payment] = await billing.payments.list({ limit: 10 });
  t.match(payment, { disputed: 999 });

  const subscription = (await billing.subscriptions.current(anna))?.id ?? '';
  await billing.once(lab.ask(), (batch) => billing.subscriptions.cancel(batch, subscription, 'now'));
  const refund = { account: anna, amount: 1, currency: 'EUR', reference: 'Sorry', payment: id };
  const give = () => billing.once(lab.ask(), (batch) => billing.payments.refund(batch, refund));
  await t.rejects(give(), { code: 'AMOUNT_INVALID', message: /999 that came of payments under dispute/ });

  await lab.tell('won', {}, 'charge.dispute.closed');
  await lab.tell('under_review');
  await lab.tell('lost');
  t.strictSame(await lab.money(), { cash: 999, disputed: 0, lost: 0 }, 'what is won stays so');
  t.equal((await billing.payments.list({ limit: 10 }))[0]?.disputed, undefined);
  await give();
  t.strictSame(await auditBilling(lab), []);
});

t.test(
  'what is lost may turn once; notices of it before those of its beginning, of parts, of others',
  async (t) => {
    const lab = await openLab(t);
    await lab.tell('lost', { amount: 400 });
    await lab.tell('needs_response', { amount: 400 });
    t.strictSame(await lab.money(), { cash: 599, disputed: 0, lost: 400 });
    await lab.tell('needs_response', { id: 'dp_2', amount: 500 });
    t.match(await lab.billing.payments.list({ limit: 10 }), [{ disputed: 900 }]);
    await lab.tell('won', { amount: 400 });
    t.strictSame(await lab.money(), { cash: 499, disputed: 500, lost: 0 });
    await lab.tell('needs_response', { id: 'dp_3', payment_intent: 'pi_of_another_shop' });
    await lab.tell('needs_response', { id: 'dp_4', payment_intent: null });
    t.strictSame(await lab.money(), { cash: 499, disputed: 500, lost: 0 });
    t.strictSame(await auditBilling(lab), []);
  },
);

t.test('credit that came of money under dispute is neither given back by hand nor spent', async (t) => {
  const lab = await openLab(t);
  const { billing } = lab;
  const cancel = async () => {
    const id = (await billing.subscriptions.current(anna))?.id ?? '';
    await billing.once(lab.ask(), (batch) => billing.subscriptions.cancel(batch, id, 'now'));
  };
  const refund = { account: anna, amount: 1, currency: 'EUR', reference: 'Sorry' };
  const give = () => billing.once(lab.ask(), (batch) => billing.payments.refund(batch, refund));
  await cancel();
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 999);
  await lab.tell('needs_response', { amount: 600 });
  t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 399);
  await t.rejects(
    billing.once(lab.ask(), (batch) => billing.payments.refund(batch, { ...refund, amount: 400 })),
    { code: 'AMOUNT_INVALID', message: /600 that came of payments under dispute/ },
  );
  await lab.subscribe();
  t.match((await lab.invoices()).at(-1), { creditApplied: 399, open: 600 }, 'what is free is used up');
  await t.rejects(give(), { code: 'AMOUNT_INVALID' });
  await lab.tell('lost', { amount: 600 });
  await t.rejects(give(), { code: 'AMOUNT_INVALID' }, 'nor what is lost');
  await lab.tell('won', { amount: 600 });
  t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 600);
  await give();
  t.strictSame(await auditBilling(lab), []);
});

t.test('a change of plan does not spend what it credits of a disputed payment', async (t) => {
  const lab = await openLab(t);
  const { billing } = lab;
  await billing.offers.putPlan('premium', planOf(1999));
  await lab.tell('needs_response');
  const id = (await billing.subscriptions.current(anna))?.id ?? '';
  await billing.once(lab.ask(), (batch) =>
    billing.subscriptions.changePlan(batch, id, { plan: 'premium', when: 'now' }),
  );
  t.match((await lab.invoices()).at(-1), { gross: 1999, creditApplied: 0, open: 1999 });
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 999);
});

t.test(
  'credit that was spent before a dispute is told of holds no other money, which is spent and given back',
  async (t) => {
    const lab = await openLab(t);
    const { billing, stripe } = lab;
    await billing.offers.putPlan('premium', planOf(1999));
    const take = (key: string) =>
      billing.prepayments.take({ account: anna, amount: 500, currency: 'EUR' }, key);
    const disputePayment = async (index: number, status: string, more: object = {}) => {
      const intent = asSent(stripe, index).id;
      await lab.tell('charge.dispute.updated', { id: `dp_${index}`, payment_intent: intent, amount: 500, currency: 'eur', status, ...more }); // prettier-ignore
    };
    await take('k1');
    const id = (await billing.subscriptions.current(anna))?.id ?? '';
    await billing.once(lab.ask(), (batch) =>
      billing.subscriptions.changePlan(batch, id, { plan: 'premium', when: 'now' }),
    );
    t.match((await lab.invoices()).at(-1), { creditApplied: 1499, open: 500 });
    t.equal(await billing.invoices.creditOf(anna, 'EUR'), 0);
    // The prepayment that the change has used up, and the period whose unused part it has.
    await disputePayment(1, 'needs_response');
    await disputePayment(1, 'lost');
    await lab.tell('needs_response');
    const next = await take('k2');
    t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 500, 'what is taken now is there');
    await billing.prepayments.giveBack(next ?? '', 'back-1');
    await billing.settleDue();
    t.match(stripe.refunds, [{ amount: 500, payment_intent: 'pi_3' }]);

    // One that stands is held.
    await take('k3');
    await disputePayment(stripe.intents.length - 1, 'needs_response', { amount: 300 });
    t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 200);
    t.strictSame(await auditBilling(lab), []);
  },
);

t.test('of an invoice whose payment is disputed only what is credited from then on is held', async (t) => {
  const lab = await openLab(t);
  const { billing } = lab;
  const [first] = await lab.invoices();
  const credit = (amount: number) =>
    billing.once(lab.ask(), (batch) => billing.payments.credit(batch, first?.id ?? '', { amount, reason: 'Sorry' })); // prettier-ignore
  await credit(300);
  const refund = { account: anna, amount: 300, currency: 'EUR', reference: 'by hand' };
  await billing.once(lab.ask(), (batch) => billing.payments.refund(batch, refund));
  await lab.tell('needs_response');
  await billing.prepayments.take({ account: anna, amount: 100, currency: 'EUR' }, 'k1');
  t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 100, 'the 300 are gone');
  await credit(500);
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 600);
  t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 100);
  await lab.tell('won');
  t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 600);
  t.strictSame(await auditBilling(lab), []);
});

t.test('a dispute that is told before its payment is booked waits for it', async (t) => {
  const lab = await openPaidLab(t);
  const { billing } = lab;
  await lab.payBy('pm_slow');
  await lab.subscribe();
  await billing.settleDue();
  const intent = { ...asSent(lab.stripe, 0), status: 'succeeded', amount_received: 999, currency: 'eur' };
  const tell = (id: string, status: string, amount: number) =>
    lab.tell('charge.dispute.updated', { id, payment_intent: intent.id, amount, currency: 'eur', status });
  await tell('dp_1', 'needs_response', 400);
  await tell('dp_1', 'lost', 400);
  await tell('dp_1', 'under_review', 400);
  await tell('dp_2', 'needs_response', 599);
  t.match(await billing.disputes.waiting(), [
    { dispute: 'dp_1', payment: intent.id, amount: 400, state: 'lost' },
    { dispute: 'dp_2', state: 'open' },
  ]);
  await lab.tell('payment_intent.succeeded', intent);
  t.match(await billing.payments.list({ limit: 10 }), [{ disputed: 999 }]);
  t.strictSame(await billing.disputes.waiting(), []);
  t.match(await billing.disputes.list({ limit: 10 }), [
    { dispute: 'dp_1', state: 'lost' },
    { dispute: 'dp_2', state: 'open' },
  ]);
  const balance = async (account: string) => (await billing.ledger.balances({ account }))[0]?.amount;
  t.equal(await balance('disputed:stripe'), 599);
  t.equal(await balance('chargebacks'), 400);
  t.strictSame(await auditBilling(lab), []);
});

t.test('one of money that is taken ahead of an invoice is held from its first moment', async (t) => {
  const lab = await openPaidLab(t);
  const { billing } = lab;
  await lab.payBy('pm_slow');
  const take = () => billing.prepayments.take({ account: anna, amount: 500, currency: 'EUR' }, 'k1');
  await t.rejects(take(), { code: 'UNAVAILABLE' });
  const intent = { ...asSent(lab.stripe, 0), status: 'succeeded', amount_received: 500, currency: 'eur' };
  const dispute = { id: 'dp_1', payment_intent: intent.id, amount: 500, currency: 'eur' };
  await lab.tell('charge.dispute.created', { ...dispute, status: 'needs_response' });
  await lab.tell('payment_intent.succeeded', intent);
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 500);
  t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 0);
  await billing.prepayments.giveBack((await take()) ?? '', 'back');
  t.equal((await billing.payments.list({ limit: 10 })).length, 1, 'nothing is given back of it');
  await lab.subscribe();
  t.match(await lab.invoices(), [{ creditApplied: 0 }]);
  t.strictSame(await auditBilling(lab), []);
});

t.test('as many disputes wait as there is room for, and no longer than thirty days', async (t) => {
  const lab = await openPaidLab(t);
  const { billing, clock } = lab;
  const tell = (index: number) =>
    lab.tell('charge.dispute.created', {
      ...{ id: `dp_${index}`, payment_intent: `pi_other_${index}`, amount: 1, currency: 'eur' },
      status: 'needs_response',
    });
  for (let index = 0; index < 201; index++) {
    await tell(index);
    await clock.advance(1);
  }
  const waiting = await billing.disputes.waiting();
  t.equal(waiting.length, 200);
  t.notOk(
    waiting.some(({ dispute }) => dispute === 'dp_0'),
    'the oldest goes',
  );
  await clock.advance(31 * dayMs);
  t.strictSame(await billing.disputes.waiting(), []);
  await tell(2000);
  t.match(await billing.disputes.waiting(), [{ dispute: 'dp_2000' }]);
});

t.test('no more is held than is disputed, came of the payment and stands', async () => {
  const cents = fc.integer({ min: 0, max: 1000 });
  fc.assert(
    fc.property(
      fc.record({ before: cents, disputed: cents, toCredit: cents, part: cents, free: cents }),
      (one) => {
        const { before, disputed, toCredit, part, free } = one;
        const held = Math.min(part, before, toCredit);
        const now = heldFrom({ before, disputed, held, toCredit }, free);
        if (now < 0 || now > disputed || now > toCredit || now > held + free) throw new Error(`held: ${now}`);
        if (disputed >= before && now < held) throw new Error('less is held of more that is disputed');
        const [first = 0, second = 0] = heldOfNote([{ disputed: before, held }, { disputed, held: 0 }], toCredit); // prettier-ignore
        if (first > before - held || second > disputed || first + second > toCredit)
          throw new Error('of a note');
      },
    ),
  );
});

t.test('money goes from where it is to where it is then, along any way', async () => {
  const state = fc.constantFrom<DisputeState>('open', 'lost', 'won');
  fc.assert(
    fc.property(fc.array(state), (states) => {
      let place = 'cash';
      states.forEach((after, index) => {
        const lines = disputeLines(states[index - 1], after);
        if (lines?.from !== undefined && lines.from !== place) throw new Error(`it is in ${place}`);
        place = lines?.to ?? place;
      });
    }),
  );
});

t.test('what a refund of a disputed payment could not give back is held', async (t) => {
  const lab = await openLab(t);
  const { billing, id } = lab;
  const subscription = (await billing.subscriptions.current(anna))?.id ?? '';
  await billing.once(lab.ask(), (batch) => billing.subscriptions.cancel(batch, subscription, 'now'));
  const refund = { account: anna, amount: 700, currency: 'EUR', reference: 'Sorry', payment: id };
  const { id: asked } = await billing.once(lab.ask(), (batch) => billing.payments.refund(batch, refund));
  await lab.tell('needs_response');
  t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 0, 'what is left of the credit is held');
  const failed = {
    metadata: { nearcast_refund: asked },
    status: 'failed',
    failure_reason: 'charge_disputed',
  };
  await lab.notify('refund.failed', failed);
  t.equal(await billing.invoices.creditOf(anna, 'EUR'), 999);
  t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 0, 'the bank has it');
  await lab.tell('won');
  t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 999);
  t.strictSame(await auditBilling(lab), []);
});

t.test('a dispute in another currency than its payment is about all of it', async (t) => {
  const lab = await openLab(t);
  const { billing, id } = lab;
  await lab.tell('needs_response', { amount: 10, currency: 'usd' });
  t.match(await billing.payments.list({ limit: 10 }), [{ disputed: 999 }]);
  const refund = { account: anna, amount: 1, currency: 'EUR', reference: 'Sorry', payment: id };
  const subscription = (await billing.subscriptions.current(anna))?.id ?? '';
  await billing.once(lab.ask(), (batch) => billing.subscriptions.cancel(batch, subscription, 'now'));
  await t.rejects(
    billing.once(lab.ask(), (batch) => billing.payments.refund(batch, refund)),
    { code: 'AMOUNT_INVALID' },
  );
  await lab.tell('won', { amount: 10, currency: 'usd' });
  t.match(await billing.payments.list({ limit: 10 }), [{ disputed: undefined }]);
  t.strictSame(await auditBilling(lab), []);
});

t.test('what comes back of an invoice is held, whether the dispute is told before or after it', async (t) => {
  for (const isBefore of [true, false]) {
    const lab = await openPaidLab(t);
    const { billing, stripe } = lab;
    await lab.payBy(good);
    await billing.prepayments.take({ account: anna, amount: 700, currency: 'EUR' }, 'k1');
    const { id } = await lab.subscribe();
    await billing.settleDue();
    t.match(await lab.invoices(), [{ creditApplied: 700, paid: 299 }]);
    const dispute = async () => {
      const intent = asSent(stripe, 0).id;
      await lab.tell('charge.dispute.created', { id: 'dp_1', payment_intent: intent, amount: 700, currency: 'eur', status: 'needs_response' }); // prettier-ignore
    };
    if (isBefore) await dispute();
    await billing.once(lab.ask(), (batch) => billing.subscriptions.cancel(batch, id, 'now'));
    if (!isBefore) await dispute();
    t.equal(await billing.invoices.creditOf(anna, 'EUR'), 999);
    t.equal(await billing.invoices.freeCreditOf(anna, 'EUR'), 299, 'what nobody disputes');
    t.strictSame(await auditBilling(lab), []);
  }
});
