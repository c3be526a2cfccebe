import fc from 'fast-check';
import t, { type Test } from 'tap';

import { disputeLines, type DisputeState } from '../../../../control-plane/services/billing/core/dispute.ts';
import { auditBilling } from '../../support/billing-lab.ts';
import { anna, good, openPaidLab } from '../../support/paid-billing-lab.ts';

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
  return { ...lab, id: payment?.id ?? '', tell, money };
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
  await t.rejects(give(), { code: 'AMOUNT_INVALID', message: /0 are left of the payment/ });

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
