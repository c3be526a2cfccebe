import t, { type Test } from 'tap';

import type { RecordOperation } from '../../../../common/adapters/records/port.ts';
import { dayMs } from '../../support/billing-lab.ts';
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
      [
        /^receivable:usr_berta-01 is 999 EUR, and the documents sum to 499$/,
        /^invoice 2: 500 EUR are said to be paid, and its payments sum to 0$/,
      ],
    ],
    [
      'a payment of less than came',
      ['payments', (value) => (value['kind'] === 'payment' ? { ...value, amount: 900 } : value)],
      [
        /^payment pay_\S+ is said to have moved 900 EUR of cash:stripe, and the ledger has 999$/,
        /^invoice 1: 999 EUR are said to be paid, and its payments sum to 900$/,
      ],
    ],
    [
      'a payment that was recorded by hand, though a provider took it',
      [
        'payments',
        ({ provider, ...value }) => (value['kind'] === 'payment' ? value : { ...value, provider }),
      ],
      [
        /^payment pay_\S+ is said to have moved 999 EUR of cash:manual, and the ledger has 0$/,
        /^payment pay_\S+ is said to have moved 0 EUR of cash:stripe, and the ledger has 999$/,
        /^dispute dp_1 is said to have moved -200 EUR of cash:, and the ledger has 0$/,
        /^dispute dp_1 is said to have moved 0 EUR of cash:stripe, and the ledger has -200$/,
        /^disputed: is 0 EUR, and .* to 200$/,
        /^disputed:stripe is 200 EUR, and .* to 0$/,
      ],
    ],
    [
      'a refund that was given, though the provider has not',
      ['payments', (value) => (value['kind'] === 'refund' ? { ...value, state: undefined } : value)],
      [
        /^refund pay_\S+ is said to have moved -300 EUR of cash:stripe, and the ledger has 0$/,
        /^transit:stripe is -300 EUR, and .* to 0$/,
      ],
    ],
    [
      'a dispute of less than the bank took back',
      ['disputes', (value) => ({ ...value, amount: 150 })],
      [
        /^dispute dp_1 is said to have moved -150 EUR of cash:stripe, and the ledger has -200$/,
        /^disputed:stripe is 200 EUR, and .* to 150$/,
      ],
    ],
    [
      'an invoice that was given up',
      ['invoices', (value) => (value['paid'] === 0 ? { ...value, writtenOff: 999 } : value)],
      [
        /^invoice 2: 999 EUR are said to be given up, and the ledger has 0$/,
        /^receivable:usr_berta-01 is 999 EUR, and the documents sum to 0$/,
        /^subscription sub_\S+ waits for invoice inv_\S+, which is not open$/,
      ],
    ],
    [
      'one that was credited, though no credit note says so',
      ['invoices', (value) => (value['paid'] === 0 ? { ...value, creditedGivenUp: 9, recovered: 8 } : value)],
      [
        /^invoice 2: 9 EUR are said to be credited of what was given up, and the ledger has 0$/,
        /^invoice 2: 8 EUR are said to be recovered, and its payments sum to 0$/,
        /^receivable:usr_berta-01 is 999 EUR, and the documents sum to 1007$/,
      ],
    ],
    [
      'a dispute that is not there',
      ['disputes', () => undefined],
      [
        /^dispute-open:dp_1 has moved -200 EUR of cash:stripe, and there is no document of it$/,
        /^disputed:stripe is 200 EUR, and .* to 0$/,
      ],
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

t.test('what was given up is held to invoices, credit notes and payments, each by its name', async (t) => {
  const lab = await openLab(t);
  const { billing, books, spoil } = lab;
  const berta = 'usr_berta-01';
  await lab.pass(30 * dayMs);
  const [given] = await lab.invoices(berta);
  const id = given?.id ?? '';
  t.equal(given?.givenUp, 999);
  await billing.once(lab.ask(), (batch) => billing.payments.credit(batch, id, { amount: 100, reason: 'Late' })); // prettier-ignore
  await billing.once(lab.ask(), (batch) =>
    billing.payments.pay(batch, { invoice: id, amount: 300, currency: 'EUR', reference: 'bank' }),
  );
  t.strictSame(await lab.faults(), [], 'written off, then credited and paid in part');
  await spoil('payments', (value) => (value['recovered'] === 300 ? { ...value, recovered: 200 } : value));
  const after = await lab.faults();
  t.equal(after.length, 2, after.join('; '));
  t.match(after[0], /^invoice 2: 300 EUR are said to be recovered, and its payments sum to 200$/);
  t.match(
    after[1],
    /^payment pay_\S+ is said to have moved -200 EUR of write-offs, and the ledger has -300$/,
  );
  await spoil('payments', (value) => (value['recovered'] === 200 ? { ...value, recovered: 300 } : value));

  const entries = [
    { account: 'write-offs', currency: 'EUR', amount: 70 },
    { account: 'chargebacks', currency: 'EUR', amount: -70 },
  ];
  const ghost = { atMs: 1, memo: 'by hand', entries };
  await books.book({
    transactions: [
      { ...ghost, id: 'write-off:inv_ghost', kind: 'write-off' },
      { ...ghost, id: 'gift:inv_ghost', kind: 'gift' },
      { ...ghost, id: `waiver:${id}.0`, kind: 'waiver' },
    ],
  });
  t.strictSame(
    (await lab.faults()).filter((fault) => !fault.startsWith('chargebacks')),
    [
      'invoice 2: 999 EUR are said to be given up, and the ledger has 1069',
      'write-off:inv_ghost has moved 70 EUR of write-offs, and there is no document of it',
      'gift:inv_ghost has moved 70 EUR of write-offs, and there is no document of it',
    ],
  );
});
