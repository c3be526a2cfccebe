import t, { type Test } from 'tap';

import type { RecordOperation } from '../../../../common/adapters/records/port.ts';
import { anna, good, openPaidLab, poor } from '../../support/paid-billing-lab.ts';

/** An account with an invoice that is paid, one of another's that is not, a refund on its way and a dispute. */
async function openLab(t: Test) {
  const lab = await openPaidLab(t);
  const { billing, books } = lab;
  await lab.payBy(good);
  await lab.subscribe();
  await lab.payBy(poor, 'usr_berta-01');
  await lab.subscribe('usr_berta-01');
  await billing.settleDue();
  const payment = (await billing.payments.list({ limit: 10 })).find(({ account }) => account === anna);
  const { id } = (await billing.subscriptions.current(anna)) ?? { id: '' };
  await billing.once(lab.ask(), (batch) => billing.subscriptions.cancel(batch, id, 'now'));
  await billing.once(
    lab.ask(),
    (batch) =>
    billing.payments.refund(batch, { account: anna, amount: 300, currency: 'EUR', reference: 'Sorry', payment: payment?.id ?? '' }), // prettier-ignore
  );
  const dispute = { id: 'dp_1', payment_intent: payment?.providerPayment, amount: 200, currency: 'eur' };
  await lab.tell('charge.dispute.created', { ...dispute, status: 'needs_response' });
  return {
    ...lab,
    faults: async () => (await billing.verify()).faults,
    /** Changes the documents of a collection behind everybody's back. */
    async spoil(collection: string, change: (value: Record<string, unknown>) => object | undefined) {
      const rows = await books.scan(collection, {});
      await books.commit(
        rows.flatMap(({ key, value }): RecordOperation[] => {
          const after = change(value as Record<string, unknown>);
          if (after === value) return [];
          return after === undefined
            ? [{ kind: 'remove', collection, key }]
            : [{ kind: 'put', collection, key, value: after }];
        }),
      );
    },
  };
}

t.test('what documents say other than the ledger, or one another, is told', async (t) => {
  const cases: [string, Parameters<Awaited<ReturnType<typeof openLab>>['spoil']>, RegExp[]][] = [
    [
      'an invoice that is said to be paid',
      ['invoices', (value) => (value['paid'] === 0 ? { ...value, paid: 500 } : value)],
      [/^receivable:usr_berta-01 is 999 EUR, and the documents sum to 499$/],
    ],
    [
      'one that nobody waits for',
      ['subscriptions', (value) => ({ ...value, unpaid: [] })],
      [/^subscription sub_\S+ is due at /, /^invoice inv_\S+ is open, and sub_\S+ does not wait for it$/],
    ],
    [
      'a period that nobody ends',
      ['due', () => undefined],
      [/^subscription .* stands not among those that are$/],
    ],
    [
      'a collection that nobody begins',
      ['collections-due', () => undefined],
      [/^invoice 2 is due to be collected/],
    ],
    [
      'a refund that nobody sends',
      ['refunds-due', () => undefined],
      [/^transit:stripe is -300 EUR, and .* to 0$/],
    ],
    [
      'a dispute that was lost',
      ['disputes', (value) => ({ ...value, state: 'lost' })],
      [/^disputed:stripe is 200 EUR, and .* to 0$/, /^chargebacks is 0 EUR, and .* to 200$/],
    ],
    [
      'more that is held than there is',
      ['disputed-of', (value) => ({ ...value, held: 700 })],
      [/^credit:usr_anna-0001 is 699 EUR, and 700 of it are held$/],
    ],
  ];
  for (const [name, spoiled, wanted] of cases) {
    const lab = await openLab(t);
    t.strictSame(await lab.faults(), []);
    await lab.spoil(...spoiled);
    const faults = await lab.faults();
    for (const fault of wanted)
      t.ok(
        faults.some((one) => fault.test(one)),
        `${name}: ${faults.join('; ')}`,
      );
    t.equal(faults.length, wanted.length, `${name}: ${faults.join('; ')}`);
  }
});
