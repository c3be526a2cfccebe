import { setImmediate } from 'node:timers/promises';
import { chainHash, checkTransaction, hashedTransaction } from '../../core/ledger.ts';
import type { SqliteFile } from '../shared/sqlite-file.ts';
import type { BooksProof } from './port.ts';
import { alteredParts } from './sqlite-books-schema.ts';
import { postedFrom, type EntryRow, type PaperRow, type TransactionRow } from './sqlite-books-statements.ts';

const pageLength = 500;
const faultsMax = 100;

/**
 * Counts the books again from their rows, and compares: the tables' guards, foreign keys, each transaction's balance, the numbers, both
 * chains of hashes, and the balances with the sums of all entries. Others may book between its pages: the ledger is counted to its
 * end, then its balances are compared; a paper that comes after its series was looked at is not counted.
 */
export async function verifyBooks(file: SqliteFile): Promise<BooksProof> {
  const faults = new Faults();
  for (const name of alteredParts(file))
    faults.add(`${name} is missing in the database, or not as it was made`);
  const ledger = new LedgerCount(file, faults);
  const papers = new PaperCount(file, faults);
  do await setImmediate();
  while (papers.nextPage());
  do await setImmediate();
  while (ledger.nextPage());
  // Without a turn for others in between.
  ledger.compareBalances();
  const { transactions, entries, balances } = ledger;
  return { transactions, entries, balances, papers: papers.count, faults: faults.list };
}

class Faults {
  readonly list: string[] = [];

  add(fault: string): void {
    if (this.list.length < faultsMax) this.list.push(fault);
  }
}

class LedgerCount {
  transactions = 0;
  entries = 0;
  balances = 0;
  readonly #faults: Faults;
  readonly #sums = new Map<string, bigint>();
  readonly #file: SqliteFile;
  #last = 0;
  #hash: Uint8Array = Buffer.alloc(0);

  constructor(file: SqliteFile, faults: Faults) {
    this.#file = file;
    this.#faults = faults;
  }

  /** Counts some more; false when nothing is left. */
  nextPage(): boolean {
    const rows = this.#file
      .prepare<[number, number], TransactionRow>(
        'SELECT * FROM ledger_transactions WHERE sequence > ? ORDER BY sequence LIMIT ?',
      )
      .all(this.#last, pageLength);
    const to = rows.at(-1)?.sequence ?? this.#last;
    const entriesOf = Map.groupBy(this.#entriesBetween(this.#last, to), ({ sequence }) => sequence);
    for (const row of rows) {
      this.#count(row, entriesOf.get(row.sequence) ?? []);
      entriesOf.delete(row.sequence);
    }
    this.#findUnsealed([...entriesOf.values()].flat());
    return rows.length > 0;
  }

  compareBalances(): void {
    this.#findUnsealed(this.#entriesBetween(this.#last, Number.MAX_SAFE_INTEGER));
    const kept = this.#file
      .prepare<[], { account: string; currency: string; amount: bigint }>('SELECT * FROM ledger_balances')
      .safeIntegers();
    for (const { account, currency, amount } of kept.iterate()) {
      this.balances++;
      const key = `${currency} ${account}`;
      const sum = this.#sums.get(key);
      this.#sums.delete(key);
      if (sum !== amount)
        this.#faults.add(
          `${account} is said to have ${amount} ${currency}, and its entries sum to ${sum ?? 0n}`,
        );
    }
    for (const key of this.#sums.keys()) this.#faults.add(`there is no balance of ${key}`);
  }

  #findUnsealed(entries: readonly EntryRow[]): void {
    for (const { sequence, account } of entries)
      this.#faults.add(`an entry of ${account} is of transaction ${sequence}, which is not there`);
  }

  #entriesBetween(after: number, to: number): EntryRow[] {
    return this.#file
      .prepare<[number, number], EntryRow>(
        `SELECT sequence, account, currency, amount FROM ledger_entries
         WHERE sequence > ? AND sequence <= ? ORDER BY sequence, line`,
      )
      .all(after, to);
  }

  #count(row: TransactionRow, rows: readonly EntryRow[]): void {
    const entries = rows.map(({ account, currency, amount }) => ({ account, currency, amount }));
    const transaction = postedFrom(row, entries);
    const { sequence, id } = row;
    if (sequence !== this.#last + 1)
      this.#faults.add(`transaction ${this.#last + 1} is missing before ${id}`);
    const checked = checkTransaction(transaction);
    if (!checked.ok) this.#faults.add(`transaction ${sequence}: ${checked.detail}`);
    this.#hash = chainHash(this.#hash, hashedTransaction(transaction));
    if (!row.hash.equals(this.#hash)) {
      this.#faults.add(`transaction ${sequence}, ${id}: it or one before it was changed after it was posted`);
      // What follows is judged by what stands here: one change is one fault.
      this.#hash = row.hash;
    }
    for (const { account, currency, amount } of entries) {
      const key = `${currency} ${account}`;
      this.#sums.set(key, (this.#sums.get(key) ?? 0n) + BigInt(amount));
    }
    this.transactions++;
    this.entries += entries.length;
    this.#last = sequence;
  }
}

class PaperCount {
  count = 0;
  readonly #faults: Faults;
  readonly #file: SqliteFile;
  #last: PaperRow | undefined;

  constructor(file: SqliteFile, faults: Faults) {
    this.#file = file;
    this.#faults = faults;
  }

  /** Looks at some more; false when nothing is left. */
  nextPage(): boolean {
    const rows = this.#file
      .prepare<[string, string, number, number], PaperRow>(
        `SELECT * FROM papers WHERE series > ? OR (series = ? AND number > ?) ORDER BY series, number LIMIT ?`,
      )
      .all(this.#last?.series ?? '', this.#last?.series ?? '', this.#last?.number ?? 0, pageLength);
    for (const row of rows) this.#check(row);
    return rows.length > 0;
  }

  #check(row: PaperRow): void {
    const { series, number, id, value, hash } = row;
    const before = this.#last?.series === series ? this.#last : undefined;
    const wanted = (before?.number ?? 0) + 1;
    if (number !== wanted) this.#faults.add(`${series} ${wanted} is missing before ${number}`);
    if (!hash.equals(chainHash(before?.hash ?? Buffer.alloc(0), [series, number, id, value])))
      this.#faults.add(`${series} ${number}, ${id}: it or one before it was changed after it was written`);
    this.#last = row;
    this.count++;
  }
}
