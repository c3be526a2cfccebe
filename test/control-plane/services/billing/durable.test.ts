import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';

import { openBillingLab, planOf, subscriptionOf } from '../../support/billing-lab.ts';
import { anna, good, openPaidLab } from '../../support/paid-billing-lab.ts';

/** A disk that takes its time while it is held. */
function slowDisk() {
  let held: PromiseWithResolvers<void> | undefined;
  return {
    hold: () => (held = Promise.withResolvers()),
    async openLog(path: string) {
      const file = await open(path, 'r');
      return {
        async datasync() {
          await held?.promise;
          await file.datasync();
        },
        close: () => file.close(),
      };
    },
  };
}

/** What follows of what was begun without the disk or the network has happened by then. */
async function turnsOfTheLoop(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await setImmediate();
}

t.test('nobody is told of what a power cut could take back', async (t) => {
  const { hold, openLog } = slowDisk();
  const told: string[] = [];
  const post = async (_url: string, { body }: { body: string }) => {
    told.push((JSON.parse(body) as { type: string }).type);
    return 200;
  };
  const { billing } = await openBillingLab(t, { startMs: Date.UTC(2026, 0, 31, 11), post, openLog });
  await billing.offers.putPlan('basic', planOf(999));
  await billing.webhooks.put('all', { url: 'https://example.org/hooks' });
  const disk = hold();
  const ask = { caller: anna, key: 'key-1', request: [] };
  const booked = billing.once(ask, (batch) => billing.subscriptions.add(batch, subscriptionOf(anna)));
  while ((await billing.webhooks.list())[0]?.waiting !== 3) await setImmediate();
  await billing.webhooks.begin();
  await turnsOfTheLoop();
  t.strictSame(told, []);
  disk.resolve();
  await booked;
  await billing.webhooks.ended();
  t.equal(told.length, 3);
});

t.test('the provider gives back nothing that the disk does not have', async (t) => {
  const { hold, openLog } = slowDisk();
  const given: string[] = [];
  const lab = await openPaidLab(
    t,
    (one) => ({
      ...one,
      refund(order) {
        given.push(order.refund);
        return one.refund(order);
      },
    }),
    { openLog },
  );
  const { billing } = lab;
  await lab.payBy(good);
  const { id } = await lab.subscribe();
  await billing.settleDue();
  const [payment] = await billing.payments.list({ limit: 10 });
  await billing.once(lab.ask(), (batch) => billing.subscriptions.cancel(batch, id, 'now'));
  const request = { account: anna, amount: 400, currency: 'EUR', reference: 'Sorry' };
  const disk = hold();
  const booked = billing.once(lab.ask(), (batch) =>
    billing.payments.refund(batch, { ...request, payment: payment?.id ?? '' }),
  );
  while ((await billing.payments.list({ limit: 10 })).length !== 2) await setImmediate();
  const settled = billing.settleDue();
  await turnsOfTheLoop();
  t.strictSame(given, []);
  disk.resolve();
  const refund = await booked;
  await settled;
  t.strictSame(given, [refund.id]);
});
