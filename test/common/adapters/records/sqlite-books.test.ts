import { copyFile, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import t from 'tap';

import { openBooks } from '../../../../common/adapters/records/open.ts';
import type { Books } from '../../../../common/adapters/records/port.ts';
import type { LedgerEntry, LedgerTransaction } from '../../../../common/core/ledger.ts';
import { amountMax } from '../../../../common/core/money.ts';
import { recordsConformance } from '../../../conformance/records.ts';
import { HeldLog } from '../../../support/held-log.ts';
import { onLost } from '../../../support/on-lost.ts';

t.setTimeout(120_000);
const base = t.testdir();
const newPath = async (): Promise<string> => join(await mkdtemp(join(base, 'books-')), 'books.db');
const open = (path: string): Promise<Books> => openBooks(`sqlite://${path}`, { onLost });

const entry = (account: string, amount: number, currency = 'EUR'): LedgerEntry => ({
  account,
  amount,
  currency,
});
const transaction = (id: string, ...entries: LedgerEntry[]): LedgerTransaction => ({
  ...{ id, atMs: 1_800_000_000_000, kind: 'payment', memo: 'ä€😀', entries },
});
const paid = (id: string, amount = 990) =>
  transaction(id, entry('cash:bank', amount), entry('receivable:usr_1', -amount));
const paper = (id: string, number: number, series = 'invoice') => ({
  ...{ series, number, id, value: { id, text: 'ä€😀' } },
});

t.test('conformance: books are records', (t) => {
  recordsConformance(t, async () => open(await newPath()), { path: newPath, open });
  t.end();
});

t.test('what is booked is there, together, and after opening again', async (t) => {
  const path = await newPath();
  const books = await open(path);
  const operations = [{ kind: 'put', collection: 'c', key: 'k', value: { n: 1 } }] as const;
  const transactions = [paid('t1'), paid('t2', 10)];
  await books.book({ operations, transactions, papers: [paper('i1', 1), paper('n1', 1, 'credit-note')] });
  await books.book({ papers: [paper('i2', 2), paper('i3', 3)] });
  t.equal(await books.lastNumber('invoice'), 3);
  t.equal(await books.lastNumber('receipt'), 0);
  await books.close();

  const again = await open(path);
  t.teardown(() => again.close());
  t.match(await again.get('c', 'k'), { value: { n: 1 } });
  t.match(await again.transactions(), [
    { sequence: 1, ...paid('t1') },
    { sequence: 2, ...paid('t2', 10) },
  ]);
  t.match(await again.transaction('t2'), { sequence: 2, ...paid('t2', 10) });
  t.equal(await again.transaction('t3'), undefined);
  t.match(await again.transactions({ account: 'cash:bank', after: 1 }), [{ id: 't2' }]);
  t.strictSame(await again.transactions({ account: 'cash' }), [], 'accounts are not beginnings of names');
  t.strictSame(await again.balances(), [entry('cash:bank', 1000), entry('receivable:usr_1', -1000)]);
  t.strictSame(await again.balances({ after: 'cash:bank' }), [entry('receivable:usr_1', -1000)]);
  t.strictSame(await again.balances({ account: 'cash:bank' }), [entry('cash:bank', 1000)]);
  t.strictSame(await again.paper('i2'), {
    series: 'invoice',
    id: 'i2',
    number: 2,
    value: { id: 'i2', text: 'ä€😀' },
  });
  t.equal(await again.paper('i9'), undefined);
  t.match(await again.papers('invoice', { after: 1, limit: 1 }), [{ id: 'i2' }]);
  t.strictSame(await again.verify(), { transactions: 2, entries: 4, balances: 2, papers: 4, faults: [] });
});

t.test('what must not be booked leaves nothing behind', async (t) => {
  const books = await open(await newPath());
  t.teardown(() => books.close());
  await books.book({ transactions: [paid('t1')], papers: [paper('i1', 1)] });
  const operations = [{ kind: 'put', collection: 'c', key: 'k', value: {} }] as const;
  const refused = async (entries: readonly LedgerEntry[], code: string) =>
    t.rejects(
      books.book({ operations, transactions: [paid('t2'), transaction('t3', ...entries)] }),
      { code },
      code,
    );
  await refused([entry('a', 1), entry('b', -2)], 'LEDGER_UNBALANCED');
  await refused([entry('a', 1), entry('b', -1, 'USD')], 'LEDGER_UNBALANCED');
  await refused([entry('a', 1)], 'LEDGER_INVALID');
  await refused([], 'LEDGER_INVALID');
  await refused([entry('A b', 1), entry('b', -1)], 'LEDGER_INVALID');
  for (const amount of [0, 0.5, Number.NaN, Infinity, amountMax + 1, 2 ** 60])
    await refused([entry('a', amount), entry('b', -amount)], 'AMOUNT_INVALID');
  await refused([entry('a', 1, 'XAU'), entry('b', -1, 'XAU')], 'CURRENCY_UNKNOWN');
  await t.rejects(
    books.book({ operations, transactions: [paid('t1')] }),
    { code: 'RECORDS_CONFLICT' },
    'twice',
  );
  await t.rejects(books.book({ operations, papers: [paper('i2', 2), paper('i1', 1)] }), {
    code: 'RECORDS_CONFLICT',
  });
  await t.rejects(
    books.book({ transactions: [paid('t2')], operations: [{ ...operations[0], expectedVersion: 7 }] }),
    { code: 'RECORDS_CONFLICT' },
  );
  t.equal(await books.get('c', 'k'), undefined);
  t.match(await books.verify(), { transactions: 1, entries: 2, papers: 1, faults: [] });
});

t.test('a balance is counted exactly or not at all', async (t) => {
  const books = await open(await newPath());
  t.teardown(() => books.close());
  let booked = 0;
  const full = async () => {
    for (; booked < 100; booked++) await books.book({ transactions: [paid(`t${booked}`, amountMax)] });
  };
  await t.rejects(full(), { code: 'AMOUNT_INVALID' });
  t.equal(booked, Math.floor(Number.MAX_SAFE_INTEGER / amountMax));
  t.strictSame(await books.balances({ account: 'cash:bank' }), [entry('cash:bank', booked * amountMax)]);
  t.match(await books.verify(), { transactions: booked, faults: [] });
});

t.test('the database itself refuses what would spoil the books', async (t) => {
  const path = await newPath();
  const books = await open(path);
  await books.book({ transactions: [paid('t1'), paid('t2')], papers: [paper('i1', 1), paper('i2', 2)] });
  await books.close();
  const raw = new Database(path);
  const hash = `x'${'00'.repeat(32)}'`;
  const head = (sequence: number, id: string) =>
    `INSERT INTO ledger_transactions VALUES (${sequence}, '${id}', 0, 'k', '', ${hash});`;
  const line = (sequence: number, number: number, what: number | string) =>
    `INSERT INTO ledger_entries VALUES (${sequence}, ${number}, 'a', 'EUR', ${what});`;
  const spoilers: Readonly<Record<string, string>> = {
    unbalanced: line(3, 1, 5) + line(3, 2, -4) + head(3, 't3'),
    'balanced only across currencies': line(3, 1, 5) + line(3, 2, -5).replace('EUR', 'USD') + head(3, 't3'),
    'without entries': head(3, 't3'),
    'entries without a transaction': line(3, 1, 5) + line(3, 2, -5),
    'a gap': line(4, 1, 5) + line(4, 2, -5) + head(4, 't4'),
    'an id twice': line(3, 1, 5) + line(3, 2, -5) + head(3, 't1'),
    'an entry later': line(2, 3, 5) + line(2, 4, -5),
    'an entry of nothing': line(3, 1, 0) + line(3, 2, 0) + head(3, 't3'),
    'a fraction': line(3, 1, 0.5) + line(3, 2, -0.5) + head(3, 't3'),
    'text for an amount': line(3, 1, `'five'`) + line(3, 2, -5) + head(3, 't3'),
    'a changed entry': `UPDATE ledger_entries SET amount = 1`,
    'a replaced entry': line(2, 1, 5).replace('INSERT', 'INSERT OR REPLACE'),
    'a removed entry': `DELETE FROM ledger_entries`,
    'a changed transaction': `UPDATE ledger_transactions SET at_ms = 5`,
    'a replaced transaction': head(1, 't1').replace('INSERT', 'INSERT OR REPLACE'),
    'a removed transaction': `DELETE FROM ledger_transactions WHERE sequence = 2`,
    'a removed balance': `DELETE FROM ledger_balances`,
    'a changed paper': `UPDATE papers SET value = '{}'`,
    'a removed paper': `DELETE FROM papers WHERE number = 2`,
    'a gap between papers': `INSERT INTO papers VALUES ('invoice', 4, 'i4', '{}', ${hash})`,
    'a paper twice': `INSERT OR REPLACE INTO papers VALUES ('invoice', 2, 'i2', '{}', ${hash})`,
  };
  const before = raw.serialize();
  for (const [what, statements] of Object.entries(spoilers)) {
    t.throws(() => raw.exec(`BEGIN; ${statements}; COMMIT`), { code: /^SQLITE_CONSTRAINT/ }, what);
    if (raw.inTransaction) raw.exec('ROLLBACK');
  }
  t.ok(before.equals(raw.serialize()), 'nothing has changed');
  raw.close();
});

t.test('what was changed behind the guards is found', async (t) => {
  const tampers: readonly (readonly [what: string, statements: string, fault: RegExp])[] = [
    [
      'an amount',
      `DROP TRIGGER ledger_entries_no_update; UPDATE ledger_entries SET amount = amount * 2`,
      /ledger_entries_no_update is missing.*transaction 1, t1: it or one before it was changed.*is said to have/s,
    ],
    [
      'a balance',
      `UPDATE ledger_balances SET amount = 7 WHERE account = 'cash:bank'`,
      /cash:bank is said to have 7 EUR/,
    ],
    [
      'the last transaction taken out',
      `DROP TRIGGER ledger_transactions_no_delete; DROP TRIGGER ledger_entries_no_delete; PRAGMA foreign_keys = OFF;
       DELETE FROM ledger_transactions WHERE sequence = 2`,
      /an entry of cash:bank is of transaction 2, which is not there/,
    ],
    [
      'a memo',
      `DROP TRIGGER ledger_transactions_no_update; UPDATE ledger_transactions SET memo = 'x'`,
      /transaction 2, t2/,
    ],
    [
      'a paper',
      `DROP TRIGGER papers_no_update; UPDATE papers SET value = '{}' WHERE number = 1`,
      /invoice 1, i1/,
    ],
    [
      'a paper taken out',
      `DROP TRIGGER papers_no_delete; DELETE FROM papers WHERE number = 1`,
      /invoice 1 is missing before 2/,
    ],
  ];
  const model = await newPath();
  const books = await open(model);
  await books.book({ transactions: [paid('t1'), paid('t2', 5)], papers: [paper('i1', 1), paper('i2', 2)] });
  await books.close();
  for (const [what, statements, fault] of tampers) {
    const path = await newPath();
    await copyFile(model, path);
    const raw = new Database(path);
    raw.exec(statements);
    raw.close();
    const again = await open(path);
    const { faults } = await again.verify();
    t.match(faults.join('\n'), fault, what);
    await again.close();
  }
});

t.test('balances are the sums of what was booked, whatever it was', async (t) => {
  const books = await open(await newPath());
  t.teardown(() => books.close());
  const account = fc.constantFrom('cash:bank', 'cash:stripe', 'receivable:usr_1', 'revenue');
  const one = fc.record({
    ...{ from: account, to: account, amount: fc.integer({ min: 1, max: 10 ** 12 }) },
    currency: fc.constantFrom('EUR', 'JPY', 'KWD'),
    off: fc.constantFrom(0, 0, 0, 1),
  });
  const sums = new Map<string, number>();
  let posted = 0;
  let bookings = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 4 }), async (booking) => {
      bookings++;
      const transactions = booking.map(({ from, to, amount, currency, off }, line) =>
        transaction(
          `t${bookings}.${line}`,
          entry(to, amount, currency),
          entry(from, -amount - off, currency),
        ),
      );
      const done = await books.book({ transactions }).then(() => true, () => false); // prettier-ignore
      if (done !== booking.every(({ off }) => off === 0)) return false;
      if (!done) return true;
      posted += transactions.length;
      for (const { account, currency, amount } of transactions.flatMap(({ entries }) => entries)) {
        const key = `${account} ${currency}`;
        sums.set(key, (sums.get(key) ?? 0) + amount);
      }
      const kept = (await books.balances()).map(({ account, currency, amount }) => [
        `${account} ${currency}`,
        amount,
      ]);
      return JSON.stringify(kept) === JSON.stringify([...sums].sort(([a], [b]) => (a < b ? -1 : 1)));
    }),
  );
  t.match(await books.verify(), { transactions: posted, entries: 2 * posted, faults: [] });
});

t.test('who books waits for the disk, and the process does not', async (t) => {
  const [log, lost] = [new HeldLog(), [] as string[]];
  const books = await openBooks(`sqlite://${join(t.testdir(), 'billing.db')}`, {
    onLost: ({ code }) => void lost.push(code),
    openLog: async () => log,
  });
  let isBooked = false;
  const booked = books.book({ transactions: [paid('t1')] }).then(() => (isBooked = true));
  const first = await log.sync(0);
  t.match(await books.transaction('t1'), { sequence: 1 }, 'others are served meanwhile');
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(isBooked, 'nothing is answered before the disk has it');
  first.resolve();
  await booked;

  const second = books.book({ transactions: [paid('t2')] });
  (await log.sync(1)).reject(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
  await t.rejects(second, { code: 'STORE_UNSYNCED' });
  t.strictSame(lost, ['STORE_UNSYNCED'], 'the process is told that it has to end');
  await t.rejects(books.balances(), { code: 'STORE_UNSYNCED' });
  await t.rejects(books.verify(), { code: 'STORE_UNSYNCED' });
  await books.close();
});
