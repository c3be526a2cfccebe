import { setImmediate } from 'node:timers/promises';
import t from 'tap';

import type { Meter } from '../../../../common/contract/meters.ts';
import { dayMs, openBillingLab, planOf, subscriptionOf } from '../../support/billing-lab.ts';

const startMs = Date.parse('2026-01-31T12:00:00+01:00');
const minutes: Meter = {
  ...{ metric: 'minutes', name: 'Minutes', unit: 'min', per: 1, included: 0, tiers: [{ price: '1' }] },
};

t.test('usage is counted again beside others that tell more, and what is wrong is told', async (t) => {
  const { billing, books, clock } = await openBillingLab(t, { startMs });
  const plan = planOf(999);
  const prices = plan.prices.map((price) => ({ ...price, meters: [minutes] }));
  await billing.offers.putPlan('basic', { ...plan, prices });
  const accounts = ['usr_anna-0001', 'usr_anna-0001-b', 'usr_berta-01'];
  for (const account of accounts)
    await billing.once({ caller: 'x', key: account, request: [] }, (batch) =>
      billing.subscriptions.add(batch, subscriptionOf(account)),
    );
  let id = 0;
  const use = (count: number) =>
    billing.usage.add({
      records: Array.from({ length: count }, () => ({
        ...{ id: `used-${10_000 + id++}`, account: accounts[id % 3] ?? '', metric: 'minutes' },
        ...{ quantity: 1, atMs: clock.nowMs() },
      })),
    });
  await use(300);
  await clock.advance(28 * dayMs);
  await billing.bookDue();
  await use(1000);
  let [turns, isDone] = [0, false];
  const verified = billing.verify().finally(() => (isDone = true));
  while (!isDone) {
    await use(3);
    turns++;
    await setImmediate();
  }
  t.strictSame((await verified).faults, [], 'though more was told meanwhile');
  t.ok(turns > 1, `others have had ${turns} turns`);

  const rows = await books.scan('usage', { limit: 300 });
  await books.commit(
    rows.map(({ key, value }) => ({
      ...{ kind: 'put' as const, collection: 'usage' },
      ...{
        key: key.replace('anna', 'nobody'),
        value: { ...(value as object), metric: `other-${key.slice(-5)}` },
      },
    })),
  );
  const { faults } = await billing.verify();
  t.equal(faults.length, 100, 'so many are told');
  t.match(faults.at(-1), /usage usr_nobody-0001(-b)?:other-\d+ was never counted/);
});
