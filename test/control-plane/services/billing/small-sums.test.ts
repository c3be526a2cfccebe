import t, { type Test } from 'tap';

import { takenByStripe } from '../../../../common/adapters/payments/stripe-amounts.ts';
import type { Meter } from '../../../../common/contract/meters.ts';
import { auditBilling, dayMs, openBillingLab, planOf, subscriptionOf } from '../../support/billing-lab.ts';
import { anna, good, openPaidLab } from '../../support/paid-billing-lab.ts';

const downloads: Meter = {
  ...{ metric: 'downloads', name: 'Downloads', unit: '×', per: 1, included: 1, tiers: [{ price: '1' }] },
};

/** An account with a good card, and Stripe, which takes nothing below its minimum. */
async function openLab(t: Test, { currency = 'EUR', cents = 999, meter = downloads } = {}) {
  const lab = await openPaidLab(t);
  const { billing, clock } = lab;
  const plan = planOf(cents);
  await billing.offers.putPlan('basic', {
    ...plan,
    prices: plan.prices
      .filter((price) => price.currency === currency)
      .map((price) => ({ ...price, meters: [meter] })),
  });
  await lab.payBy(good);
  const act = (decide: Parameters<typeof billing.once>[1]) => billing.once(lab.ask(), decide);
  const place = currency === 'EUR' ? {} : { currency, country: 'KW', timeZone: 'Asia/Kuwait' };
  await act((batch) => billing.subscriptions.add(batch, subscriptionOf(anna, place)));
  await billing.settleDue();
  let told = 0;
  return {
    ...{ ...lab, act },
    use: (quantity: number) =>
      billing.usage.add({
        records: [{ id: `used-${1000 + told++}`, account: anna, metric: 'downloads', quantity, atMs: clock.nowMs() }], // prettier-ignore
      }),
    state: async () => (await billing.subscriptions.list({ account: anna, limit: 9 })).at(-1),
    bills: async () => (await lab.invoices()).filter(({ usage }) => usage),
  };
}

t.test('a quarter of a euro waits for the next period, and ends no subscription', async (t) => {
  const lab = await openLab(t);
  await lab.use(26);
  await lab.pass(29 * dayMs);
  t.strictSame(await lab.bills(), []);
  const { id = '' } = (await lab.state()) ?? {};
  t.match(await lab.billing.metered.due(id), { amount: 25, lines: [{ quantity: 26, amount: 25 }] });
  await lab.pass(29 * dayMs);
  await lab.use(41);
  await lab.pass(31 * dayMs);
  const lines = [
    { quantity: 26, included: 1, amount: 25 },
    { quantity: 41, included: 1, amount: 40, fromMs: undefined },
  ];
  t.match(await lab.bills(), [{ amount: 65, usage: lines, status: 'paid' }]);
  const [first] = await lab.invoices();
  t.equal((await lab.bills())[0]?.period.startMs, first?.period.startMs);
  t.match(await lab.state(), { state: 'active', unpaid: [] });
  t.strictSame(await auditBilling(lab), []);

  await lab.use(30);
  await lab.act((batch) => lab.billing.subscriptions.cancel(batch, id, 'now'));
  t.equal((await lab.bills()).length, 1, 'at the end it is given up');
  t.strictSame(await auditBilling(lab), []);
});

t.test('dinars are taken in steps, and what is no step is given up', async (t) => {
  const lab = await openLab(t, { currency: 'KWD', cents: 1337 });
  await lab.use(8);
  await lab.pass(40 * dayMs);
  t.match(
    await lab.invoices(),
    [
      { gross: 4011, paid: 4010, open: 0, status: 'paid' },
      { gross: 4011, paid: 4010, open: 0, status: 'paid' },
    ],
    'and seven fils wait',
  );
  t.match(await lab.state(), { state: 'active', unpaid: [] });
  t.strictSame(await auditBilling(lab), []);
});

t.test('what Stripe says is too little is given up, whatever was known of it', async (t) => {
  const lab = await openLab(t, { currency: 'KWD', cents: 20 });
  await lab.pass(35 * dayMs);
  t.match(await lab.invoices(), [{ gross: 60, open: 0, status: 'uncollectible' }, { open: 0 }]);
  t.match(await lab.state(), { state: 'active', unpaid: [] });
  t.strictSame(await auditBilling(lab), []);
});

t.test(
  'what a credit note leaves of an invoice, and what a change costs ahead, may be too little',
  async (t) => {
    const lab = await openPaidLab(t);
    const { billing } = lab;
    await lab.subscribe();
    const [bill] = await lab.invoices();
    const reason = { amount: 979, reason: 'Sorry' };
    await billing.once(lab.ask(), (batch) => billing.payments.credit(batch, bill?.id ?? '', reason));
    await lab.payBy(good);
    await lab.pass(dayMs);
    t.match(await lab.invoices(), [{ open: 0, credited: 979 }]);
    t.match(await billing.subscriptions.current(anna), { state: 'active', unpaid: [] });
    t.equal(await billing.prepayments.take({ account: anna, amount: 49, currency: 'EUR' }, 'k1'), undefined);
    t.strictSame(lab.stripe.intents, []);
    t.strictSame(await auditBilling(lab), []);
  },
);

t.test('what Stripe takes of an amount', async (t) => {
  const taken = (currency: string, ...amounts: number[]) =>
    amounts.map((amount) => takenByStripe(amount, currency));
  t.strictSame(taken('EUR', 49, 50, 999), [0, 50, 999]);
  t.strictSame(taken('KWD', 7, 1237), [0, 1230]);
  t.strictSame(taken('MGA', 99, 250), [0, 200]);
  t.strictSame(taken('XTS', 1), [1], 'of others only Stripe knows');
});

t.test('a new card pays what a subscription that has ended still owes', async (t) => {
  const lab = await openLab(t, { meter: { ...downloads, tiers: [{ price: '100' }] } });
  const { billing } = lab;
  await lab.payBy('pm_card_chargeDeclinedInsufficientFunds');
  await lab.use(10);
  const { id = '' } = (await lab.state()) ?? {};
  await billing.once({ ...lab.ask(), subscription: id }, (batch) => billing.subscriptions.cancel(batch, id, 'period-end')); // prettier-ignore
  await lab.pass(29 * dayMs);
  t.match(await lab.state(), { state: 'canceled', unpaid: { length: 1 } });
  await lab.payBy(good);
  await billing.settleDue();
  t.match(await lab.bills(), [{ amount: 900, status: 'paid' }]);
  t.match(await lab.state(), { unpaid: [] });
  t.strictSame(await auditBilling(lab), []);
});

t.test('what is carried does not outlive the meters of a subscription', async (t) => {
  const lab = await openLab(t);
  const { billing } = lab;
  await billing.offers.putPlan('free', planOf(999));
  const { id = '' } = (await lab.state()) ?? {};
  const change = (plan: string, when: 'now' | 'period-end') =>
    lab.act((batch) => billing.subscriptions.changePlan(batch, id, { plan, when }));
  await lab.use(26);
  await lab.pass(29 * dayMs);
  t.match(await lab.books.scan('metered', {}), [{ value: { carried: [{ amount: 25 }] } }]);
  await change('free', 'period-end');
  await lab.pass(31 * dayMs);
  t.match(await lab.books.scan('metered', {}), [{ value: { carried: [], givenUp: 26 } }]);
  await change('basic', 'now');
  await lab.use(100);
  await lab.pass(31 * dayMs);
  t.match(await lab.bills(), [{ usage: [{ quantity: 100 }] }]);
  t.strictSame(await auditBilling(lab), []);
});

t.test('a price that the provider never takes is refused, and may be put away', async (t) => {
  const { billing } = await openPaidLab(t);
  const put = (amount: number, currency = 'EUR', archived = false) => {
    const price = { currency, amount, interval: { unit: 'month', count: 1 }, taxInclusive: true } as const;
    return billing.offers.putPlan('tiny', { ...planOf(999), prices: [price], archived });
  };
  const wanted = { code: 'AMOUNT_INVALID', message: /0\.49 EUR is less than stripe takes/ };
  await t.rejects(put(49), wanted);
  await t.rejects(put(9, 'KWD'), { code: 'AMOUNT_INVALID' });
  for (const [amount, currency] of [
    [0, 'EUR'],
    [50, 'EUR'],
    [10, 'KWD'],
  ] as const)
    await put(amount, currency);
  await put(49, 'EUR', true);
  const { billing: byHand } = await openBillingLab(t, { startMs: 0 });
  await byHand.offers.putPlan('tiny', planOf(1));
});
