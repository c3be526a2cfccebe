import fc from 'fast-check';
import t from 'tap';

import { monthOf, monthsUntil } from '../../../../control-plane/services/billing/core/month.ts';
import { RevenueCount } from '../../../../control-plane/services/billing/core/revenue-report.ts';
import { dayMs, openBillingLab, planOf, subscriptionOf, taxTable } from '../../support/billing-lab.ts';

const startMs = Date.UTC(2026, 0, 10, 12);

t.test('revenue and churn by month', async (t) => {
  const { billing, pass } = await openBillingLab(t, { startMs });
  await billing.offers.putTaxes(taxTable);
  await billing.offers.putPlan('basic', planOf(1190));
  let asked = 0;
  const act = (decide: Parameters<typeof billing.once>[1], subscription?: string) =>
    billing.once(
      { caller: 'x', key: `k${asked++}`, request: [], ...(subscription && { subscription }) },
      decide,
    );
  const subscribe = (account: string) =>
    act((batch) => billing.subscriptions.add(batch, subscriptionOf(account))) as Promise<{ id: string }>;
  const anna = await subscribe('usr_anna-0001');
  await subscribe('usr_berta-01');
  await pass(10 * dayMs);
  await act((batch) => billing.subscriptions.cancel(batch, anna.id, 'period-end'), anna.id);
  for (const { id, open, currency } of await billing.invoices.list({ after: 0, limit: 10 }))
    await act((batch) =>
      billing.payments.pay(batch, { invoice: id, amount: open, currency, reference: 'bank' }),
    );
  await pass(25 * dayMs);
  t.strictSame((await billing.reports.revenue(3)).months, [
    { month: '2025-12', before: 0, began: 0, ended: 0, revenue: [] },
    { month: '2026-01', before: 0, began: 2, ended: 0, revenue: [{ currency: 'EUR', amount: 2000 }] },
    {
      ...{ month: '2026-02', before: 2, began: 0, ended: 1, churnPercent: 50 },
      revenue: [{ currency: 'EUR', amount: 1000 }],
    },
  ]);
  const page = await billing.invoices.list({ after: 0, limit: 1 });
  await act((batch) => billing.payments.credit(batch, page[0]?.id ?? '', { reason: 'Sorry' }));
  t.match(
    (await billing.reports.revenue(1)).months,
    [{ revenue: [{ amount: 0 }] }],
    'credit notes count when written',
  );
});

t.test('who was there, began and ended adds up from month to month', async () => {
  const subscription = fc
    .record({ from: fc.integer({ min: 0, max: 700 }), length: fc.option(fc.integer({ min: 0, max: 400 })) })
    .map(({ from, length }) => ({
      createdAtMs: startMs + from * dayMs,
      endedAtMs: length === null ? undefined : startMs + (from + length) * dayMs,
    }));
  fc.assert(
    fc.property(fc.array(subscription, { maxLength: 30 }), (all) => {
      const count = new RevenueCount({ nowMs: startMs + 1200 * dayMs, months: 42 });
      for (const one of all) count.addSubscription(one);
      const { months } = count.report();
      return (
        months.every(({ before, began, ended }, index) => {
          const next = months[index + 1];
          return next === undefined || next.before === before + began - ended;
        }) && months.reduce((sum, { began }) => sum + began, 0) === all.length
      );
    }),
  );
});

t.test('months', async (t) => {
  t.strictSame(monthsUntil(Date.UTC(2026, 1, 28), 4), ['2025-11', '2025-12', '2026-01', '2026-02']);
  t.equal(monthOf(Date.UTC(2026, 11, 31, 23, 59)), '2026-12');
});

t.test('usage is counted once by its id', async (t) => {
  const { billing, clock } = await openBillingLab(t, { startMs });
  const record = (id: string, more: object = {}) => ({
    ...{ id, account: 'usr_anna-0001', metric: 'minutes', quantity: 90, atMs: startMs, ...more },
  });
  const add = (...records: ReturnType<typeof record>[]) => billing.usage.add({ records });
  t.strictSame(await add(record('view-0001'), record('view-0002'), record('view-0001')), {
    ...{ accepted: 2, duplicates: 1, refused: [] },
  });
  await clock.advance(40 * dayMs);
  t.strictSame(
    await add(record('view-0002'), record('view-0003', { quantity: 5, atMs: clock.nowMs() }), record('view-0001', { account: 'usr_berta-01' })), // prettier-ignore
    { accepted: 2, duplicates: 1, refused: [] },
  );
  t.strictSame(await billing.usage.sums({ limit: 100 }), {
    sums: [
      { account: 'usr_anna-0001', month: '2026-01', metric: 'minutes', quantity: 180 },
      { account: 'usr_anna-0001', month: '2026-02', metric: 'minutes', quantity: 5 },
      { account: 'usr_berta-01', month: '2026-01', metric: 'minutes', quantity: 90 },
    ],
  });
  t.match(await billing.usage.sums({ account: 'usr_berta-01', limit: 1 }), { sums: { length: 1 } });
  const [early, late] = [clock.nowMs() + 120_000, startMs - 60 * dayMs];
  t.match(
    await add(record('view-0009', { atMs: early }), record('view-0010'), record('view-0009', { atMs: late })),
    {
      accepted: 1,
      duplicates: 0,
      refused: [
        { index: 0, code: 'INVALID' },
        { index: 2, code: 'INVALID' },
      ],
    },
    'what is refused holds no other record',
  );
  const all = await Promise.all(Array.from({ length: 20 }, () => add(record('view-0011'))));
  t.equal(
    all.reduce((sum, { accepted }) => sum + accepted, 0),
    1,
    'told by twenty at once, counted once',
  );
});

t.test('records are kept for 100 days, then their ids are forgotten, and their sums are not', async (t) => {
  const { billing, books, clock } = await openBillingLab(t, { startMs });
  const records = Array.from({ length: 1000 }, (_, index) => ({
    ...{
      id: `view-${1000 + index}`,
      account: 'usr_anna-0001',
      metric: 'minutes',
      quantity: 1,
      atMs: startMs,
    },
  }));
  await billing.usage.add({ records });
  await clock.advance(99 * dayMs);
  await billing.usage.forget();
  t.match(await billing.usage.add({ records }), { accepted: 0, duplicates: 1000 });
  await clock.advance(1.1 * dayMs);
  await billing.usage.forget();
  for (const collection of ['usage', 'usage-times']) t.strictSame(await books.scan(collection, {}), []);
  t.match(await billing.usage.add({ records }), { accepted: 0, refused: { length: 1000 } });
  t.match(await billing.usage.sums({ limit: 1 }), { sums: [{ quantity: 1000 }] });
});
