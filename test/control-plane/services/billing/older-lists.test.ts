import { setImmediate } from 'node:timers/promises';
import t from 'tap';

import type { Books } from '../../../../common/adapters/records/port.ts';
import { createSeededChance } from '../../../../common/runtime/chance.ts';
import { createBilling } from '../../../../control-plane/services/billing/service.ts';
import { openBillingLab, planOf, quiet, subscriptionOf } from '../../support/billing-lab.ts';

const startMs = Date.parse('2026-01-31T12:00:00+01:00');
const anna = 'usr_anna-0001';
const lists = ['payments-of', 'credit-notes-of', 'listed'];

t.test(
  'payments and credit notes of a version without lists by account are handed over and verified',
  async (t) => {
    const { billing, books, clock } = await openBillingLab(t, { startMs });
    await billing.offers.putPlan('basic', planOf(999));
    await billing.once({ caller: 'x', key: 'subscribe', request: [] }, (batch) =>
      billing.subscriptions.add(batch, subscriptionOf(anna)),
    );
    const [invoice] = await billing.invoices.list({ account: anna, after: 0, limit: 1 });
    const id = invoice?.id ?? '';
    // A page of payments, and more.
    for (let number = 0; number < 600; number++)
      await billing.once({ caller: 'x', key: `pay-${number}`, request: [] }, (batch) =>
        billing.payments.pay(batch, { invoice: id, amount: 1, currency: 'EUR', reference: 'bank' }),
      );
    for (const reason of ['Sorry', 'Sorry again'])
      await billing.once({ caller: 'x', key: reason, request: [] }, (batch) =>
        billing.payments.credit(batch, id, { amount: 100, reason }),
      );
    const before = await billing.personal.export(anna);
    t.match(before, { payments: { length: 600 }, creditNotes: { length: 2 } });

    const unlist = async () => {
      const rows = [];
      for (const collection of lists)
        for (const { key } of await books.scan(collection)) rows.push({ collection, key });
      await books.commit(rows.map((row) => ({ kind: 'remove', ...row })));
      return rows.length;
    };
    t.equal(await unlist(), 603);
    const open = (over: Books) =>
      createBilling({ ...quiet, books: over, clock, chance: createSeededChance(7) });

    let booked = 0;
    const dying = new Proxy(books, {
      get(target, name) {
        if (name === 'book' && booked++ > 0) return () => Promise.reject(new Error('the process has ended'));
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    await t.rejects(open(dying).personal.export(anna), { message: 'the process has ended' });
    t.equal((await books.scan('payments-of')).length, 500, 'a page at a time');

    const again = open(books);
    t.strictSame((await again.verify()).faults, [], 'none is missed where an invoice is compared with them');
    t.strictSame(await again.personal.export(anna), before);
    const { version } = (await books.get('listed', 'all')) ?? {};
    await open(books).personal.export(anna);
    t.equal((await books.get('listed', 'all'))?.version, version, 'and once');

    await unlist();
    const ending = new AbortController();
    const watching = open(books).watch(ending.signal);
    while (!isListed(await books.get('listed', 'all'))) await setImmediate();
    ending.abort();
    await watching;
    t.equal((await books.scan('payments-of')).length, 600, 'also where nobody asks');
  },
);

function isListed(entry: { value: unknown } | undefined): boolean {
  return (entry?.value as { isDone: boolean } | undefined)?.isDone === true;
}
