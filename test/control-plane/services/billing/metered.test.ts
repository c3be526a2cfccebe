import t, { type Test } from 'tap';

import type { Meter } from '../../../../common/contract/meters.ts';
import { invoiceHtml, invoicePage } from '../../../../control-plane/services/billing/core/invoice-page.ts';
import { until } from '../../support/until.ts';
import { auditBilling, dayMs, openBillingLab, planOf, subscriptionOf, taxTable } from '../../support/billing-lab.ts'; // prettier-ignore

const startMs = Date.parse('2026-01-31T12:00:00+01:00');
const anna = 'usr_anna-0001';
const hours: Meter = {
  ...{ metric: 'minutes', name: 'Hours watched', unit: 'h', per: 60, included: 600 },
  tiers: [{ upTo: 600, price: '25' }, { price: '10.5' }],
};
const downloads: Meter = {
  ...{ metric: 'downloads', name: 'Downloads', unit: '×', per: 1, included: 0, tiers: [{ price: '99' }] },
};

/** Plans whose prices have meters, and an account that uses them. */
async function openLab(t: Test, { trialDays = 0 } = {}) {
  const lab = await openBillingLab(t, { startMs });
  const { billing, clock } = lab;
  await billing.offers.putTaxes(taxTable);
  const withMeters = (euros: number, meters: Meter[]) => {
    const plan = planOf(euros, { trialDays });
    return { ...plan, prices: plan.prices.map((price) => ({ ...price, meters })) };
  };
  await billing.offers.putPlan('basic', withMeters(999, [hours, downloads]));
  await billing.offers.putPlan('premium', withMeters(1999, [{ ...hours, included: 6000 }]));
  let asked = 0;
  const act = (decide: Parameters<typeof billing.once>[1], subscription?: string) =>
    billing.once({ caller: 'x', key: `k${asked++}`, request: [], ...(subscription && { subscription }) }, decide); // prettier-ignore
  let told = 0;
  const { id } = (await act((batch) => billing.subscriptions.add(batch, subscriptionOf(anna)))) as {
    id: string;
  };
  /** Whoever does not pay is not a subscriber for long. */
  const payAll = async () => {
    for (const { id: invoice, open: amount, currency } of await billing.invoices.list({ account: anna, after: 0, limit: 100 })) // prettier-ignore
      if (amount > 0) await act((batch) => billing.payments.pay(batch, { invoice, amount, currency, reference: 'bank' })); // prettier-ignore
  };
  return {
    ...{ ...lab, id, act, payAll },
    async pass(ms: number) {
      await payAll();
      await lab.pass(ms);
    },
    passUnpaid: (ms: number) => lab.pass(ms),
    use: (metric: string, quantity: number, more: object = {}) =>
      billing.usage.add({
        records: [{ id: `used-${String(told++).padStart(6, '0')}`, account: anna, metric, quantity, atMs: clock.nowMs(), ...more }], // prettier-ignore
      }),
    bills: async () => (await billing.invoices.list({ account: anna, after: 0, limit: 100 })).filter(({ usage }) => usage), // prettier-ignore
    audit: () => auditBilling(lab),
  };
}

t.test('usage is invoiced at the end of the period, by itself, with taxes', async (t) => {
  const lab = await openLab(t);
  await lab.use('minutes', 900);
  await lab.use('popcorn', 5);
  await lab.pass(20 * dayMs);
  await lab.use('minutes', 601);
  await lab.use('downloads', 2);
  const lines = [
    { metric: 'minutes', quantity: 1501, included: 600, amount: 303 },
    { metric: 'downloads', quantity: 2, included: 0, amount: 198 },
  ];
  t.match(await lab.billing.metered.due(lab.id), { currency: 'EUR', amount: 501, lines });
  t.strictSame(await lab.bills(), [], 'not before');
  await lab.pass(8 * dayMs);
  const [bill] = await lab.bills();
  t.match(bill, {
    ...{ amount: 501, gross: 501, net: 421, taxes: [{ amount: 80 }], usage: lines, status: 'open' },
    period: { startMs, endMs: Date.parse('2026-02-28T12:00:00+01:00') },
  });
  const invoices = await lab.billing.invoices.list({ account: anna, after: 0, limit: 10 });
  t.strictSame(invoices.map(({ amount }) => amount), [999, 501, 999]); // prettier-ignore
  t.match(await lab.billing.subscriptions.view(lab.id), { unpaid: { length: 2 } });
  t.match(await lab.billing.metered.due(lab.id), { amount: 0, lines: [] });
  const html = invoiceHtml(invoicePage(bill!, 'Europe/Berlin'));
  t.match(html, 'Hours watched: 25.017 h, 10 h included</th><td>3.03 EUR');
  t.strictSame(await lab.audit(), []);
});

t.test('what is told late is on the next invoice, what is told twice on one', async (t) => {
  const lab = await openLab(t);
  await lab.use('minutes', 660, { id: 'used-once-1' });
  await lab.pass(27 * dayMs);
  // The period ends, and nothing has booked it yet when more is told.
  await lab.payAll();
  await lab.clock.advance(2 * dayMs);
  await lab.use('minutes', 660, { id: 'used-once-1' });
  await lab.use('minutes', 60, { atMs: startMs + dayMs });
  t.match(await lab.bills(), [{ amount: 25, usage: [{ quantity: 660 }] }]);
  await lab.use('minutes', 600);
  await lab.pass(30 * dayMs);
  t.match(await lab.bills(), [{ amount: 25 }, { amount: 25, usage: [{ quantity: 660 }] }]);
  t.strictSame(await lab.audit(), []);
});

t.test('nothing is charged of a trial, nor within what is included', async (t) => {
  const lab = await openLab(t, { trialDays: 14 });
  await lab.use('minutes', 6000);
  await lab.pass(15 * dayMs);
  await lab.use('minutes', 6000, { atMs: startMs + dayMs });
  await lab.use('minutes', 600);
  await lab.pass(40 * dayMs);
  t.strictSame(await lab.bills(), []);
  t.strictSame(await lab.audit(), []);
});

t.test('a change, a pause and an end invoice what was used until then, by the terms of then', async (t) => {
  const lab = await openLab(t);
  const { subscriptions } = lab.billing;
  await lab.use('minutes', 660);
  await lab.pass(14 * dayMs);
  await lab.act((batch) => subscriptions.changePlan(batch, lab.id, { plan: 'premium', when: 'now' }), lab.id);
  // Half of the period: half of what it includes.
  t.match(await lab.bills(), [{ plan: 'basic', usage: [{ included: 300, quantity: 660, tiers: [{ upTo: 300 }, {}] }], amount: 136 }]); // prettier-ignore
  await lab.use('minutes', 3060);
  await lab.use('downloads', 1);
  await lab.act((batch) => subscriptions.pause(batch, lab.id), lab.id);
  t.match((await lab.bills()).at(-1), { plan: 'premium', usage: [{ included: 0, quantity: 3060 }] });
  await lab.use('minutes', 600);
  await lab.act((batch) => subscriptions.resume(batch, lab.id), lab.id);
  await lab.use('minutes', 6600);
  await lab.act((batch) => subscriptions.cancel(batch, lab.id, 'period-end'), lab.id);
  await lab.pass(40 * dayMs);
  t.equal((await lab.bills()).length, 3);
  t.match((await lab.bills()).at(-1), { usage: [{ quantity: 6600, included: 6000 }], amount: 250 });
  await lab.use('minutes', 600);
  t.match(await lab.billing.subscriptions.view(lab.id), { state: 'canceled' });
  t.strictSame(await lab.audit(), []);
});

t.test('what is used up to the end of an unpaid subscription is given up with it', async (t) => {
  const lab = await openLab(t);
  await lab.passUnpaid(20 * dayMs);
  await lab.use('minutes', 6000);
  await lab.passUnpaid(10 * dayMs);
  t.match(await lab.billing.subscriptions.view(lab.id), { state: 'canceled' });
  t.strictSame(await lab.bills(), []);
  await lab.act((batch) => lab.billing.subscriptions.add(batch, subscriptionOf(anna)));
  await lab.pass(32 * dayMs);
  t.strictSame(await lab.bills(), [], 'nor charged to the next one');
  t.strictSame(await lab.audit(), []);
});

t.test('credit is used up once where a change writes two invoices', async (t) => {
  const lab = await openLab(t);
  const { invoices, subscriptions } = lab.billing;
  await lab.payAll();
  await lab.use('downloads', 3);
  await lab.act((batch) => subscriptions.changePlan(batch, lab.id, { plan: 'premium', when: 'now' }), lab.id);
  const [, usage, next] = await invoices.list({ account: anna, after: 0, limit: 10 });
  t.match(usage, { gross: 297, creditApplied: 297, status: 'paid' });
  t.match(next, { gross: 1999, creditApplied: 702, open: 1297 });
  t.equal(await invoices.creditOf(anna, 'EUR'), 0);
  t.strictSame(await lab.audit(), []);
});

t.test(
  'meters that cannot be, usage that nobody could pay, and books in which usage is missing',
  async (t) => {
    const lab = await openLab(t);
    const plan = planOf(1);
    const put = (meters: Meter[]) =>
      lab.billing.offers.putPlan('bad', {
        ...plan,
        prices: plan.prices.map((price) => ({ ...price, meters })),
      });
    await t.rejects(put([hours, hours]), { code: 'INVALID', message: /two of minutes/ });
    await t.rejects(put([{ ...hours, tiers: [{ upTo: 5, price: '1' }] }]), { code: 'INVALID' });
    const dear = { ...downloads, tiers: [{ price: '999999999' }] };
    await lab.billing.offers.putPlan('dear', { ...plan, prices: plan.prices.map((price) => ({ ...price, meters: [dear] })) }); // prettier-ignore
    await lab.act((batch) => lab.billing.subscriptions.changePlan(batch, lab.id, { plan: 'dear', when: 'now' }), lab.id); // prettier-ignore
    const record = (id: string, more: object) => ({
      ...{ id, account: anna, metric: 'downloads', quantity: 1, atMs: lab.clock.nowMs(), ...more },
    });
    t.match(
      await lab.billing.usage.add({
        records: [
          record('many-0001', { account: 'usr_berta-0001' }),
          record('many-0002', { quantity: 1_000_000 }),
          record('many-0003', { quantity: 7 }),
        ],
      }),
      { accepted: 2, duplicates: 0, refused: [{ index: 1, code: 'AMOUNT_INVALID' }] },
      'of one record nobody is to suffer',
    );
    const key = `${anna}:downloads`;
    const counted = (await lab.books.get('metered', key))?.value as { open: number };
    await lab.books.commit([{ kind: 'put', collection: 'metered', key, value: { ...counted, open: 0 } }]);
    t.match((await lab.billing.verify()).faults, [/downloads: 7 were told, of 0 it is known what became/]);
    await lab.books.commit([{ kind: 'put', collection: 'metered', key, value: counted }]);
    await lab.books.remove('usage', (await lab.books.scan('usage', { limit: 1 }))[0]?.key ?? '');
    t.match((await lab.billing.verify()).faults, [
      /usage usr_anna-0001:downloads: 0 are recorded, 7 were counted/,
    ]);
  },
);

t.test(
  'nothing is charged that was used before there was a meter for it, or before the end of a pause',
  async (t) => {
    const lab = await openLab(t);
    const { subscriptions, offers } = lab.billing;
    await offers.putPlan('free', planOf(999));
    const change = (plan: string) =>
      lab.act((batch) => subscriptions.changePlan(batch, lab.id, { plan, when: 'now' }), lab.id);
    await change('free');
    await lab.pass(10 * dayMs);
    await change('basic');
    // A device that was offline.
    await lab.use('minutes', 60_000, { atMs: lab.clock.nowMs() - 5 * dayMs });
    await lab.use('downloads', 1, { atMs: lab.clock.nowMs() });
    t.match(await lab.billing.metered.due(lab.id), { amount: 99 });
    await change('premium');
    await change('basic');
    await lab.use('downloads', 10, { atMs: lab.clock.nowMs() - 1 });
    await lab.use('minutes', 60_000, { atMs: lab.clock.nowMs() });
    const before = await lab.billing.metered.due(lab.id);
    t.match(
      before,
      { lines: { length: 1 } },
      'a meter that goes and comes begins anew, one that stays does not',
    );
    await lab.act((batch) => subscriptions.pause(batch, lab.id), lab.id);
    const bills = await lab.bills();
    await lab.use('minutes', 60_000);
    await lab.act((batch) => subscriptions.resume(batch, lab.id), lab.id);
    await lab.use('minutes', 60_000, { atMs: lab.clock.nowMs() - 1 });
    t.match(await lab.billing.metered.due(lab.id), { amount: 0 });
    t.equal((await lab.bills()).length, bills.length);
    t.strictSame(await lab.audit(), []);
  },
);

t.test('what is unpaid of a subscription that has ended is given up like any other', async (t) => {
  const lab = await openLab(t);
  await lab.payAll();
  await lab.use('downloads', 30);
  await lab.act((batch) => lab.billing.subscriptions.cancel(batch, lab.id, 'period-end'), lab.id);
  await lab.passUnpaid(30 * dayMs);
  t.match(await lab.bills(), [{ amount: 2970, status: 'open' }]);
  const view = await lab.billing.subscriptions.view(lab.id);
  t.match(view, { state: 'canceled', unpaid: { length: 1 } });
  await lab.passUnpaid(21 * dayMs);
  t.match(await lab.bills(), [{ open: 0, status: 'uncollectible' }]);
  t.match(await lab.billing.subscriptions.view(lab.id), { endedAtMs: view.endedAtMs, unpaid: [] });
  t.strictSame(await lab.audit(), []);
});

t.test('an account that is erased leaves sums of what was charged, and no more', async (t) => {
  const lab = await openLab(t);
  await lab.use('downloads', 30);
  await lab.use('popcorn', 30);
  t.match(await lab.billing.personal.export(anna), {
    usage: [{ metric: 'downloads' }, { metric: 'popcorn' }],
  });
  await lab.billing.personal.erase(anna);
  t.strictSame(await lab.bills(), [], 'nobody is left to pay for it');
  for (const collection of ['usage', 'usage-sums', 'usage-times'])
    t.strictSame(await lab.books.scan(collection, {}), []);
  t.match(await lab.books.scan('metered', {}), [{ value: { folded: 30, told: 30, givenUp: 30 } }]);
  t.strictSame(await lab.audit(), []);
});

t.test(
  'what is told of an account after its erasure is refused, and nothing of it is begun anew',
  async (t) => {
    const lab = await openLab(t);
    const { billing, clock } = lab;
    await lab.use('downloads', 30);
    for (let twice = 0; twice < 2; twice++) await billing.personal.erase(anna);
    const told = (account: string, id: string) =>
    ({ account, id, metric: 'downloads', quantity: 3, atMs: clock.nowMs() }); // prettier-ignore
    const records = [told(anna, 'used-late-1'), told('usr_berta-01', 'used-late-2')];
    t.match(await billing.usage.add({ records }), {
      accepted: 1,
      duplicates: 0,
      refused: [{ index: 0, code: 'ACCOUNT_UNKNOWN' }],
    });
    t.equal(await billing.personal.export(anna).then((known) => (known as { usage: [] }).usage.length), 0);
    t.match(await lab.books.scan('usage', {}), [{ key: 'usr_berta-01:used-late-2' }]);
    const again = lab.act((batch) => billing.subscriptions.add(batch, subscriptionOf(anna)));
    await t.rejects(again, { code: 'ACCOUNT_UNKNOWN' });
    t.match(await lab.books.scan('erased', {}), { length: 1 });

    await clock.advance(101 * dayMs);
    const stop = new AbortController();
    const watching = billing.watch(stop.signal);
    await until(
      () => lab.books.scan('erased-times', {}),
      (left) => left.length === 0,
    );
    stop.abort();
    await watching;
    t.strictSame(await lab.books.scan('erased', {}), [], 'what late could come is too old by then');
  },
);
