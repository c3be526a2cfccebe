import { chainHash, checkTransaction, hashedTransaction, type LedgerTransaction } from '../../core/ledger.ts';
import { coded, systemCode, valueOf } from '../../runtime/errors.ts';
import { sqliteError, type SqliteFile } from '../shared/sqlite-file.ts';
import type { WalSyncOptions } from '../shared/wal-sync.ts';
import { checkCollection, checkRecordKey, encodeValue } from './key.ts';
import type {
  Booking,
  Books,
  BooksProof,
  LedgerBalance,
  PaperEntry,
  Paper,
  PostedTransaction,
} from './port.ts';
import { prepareBooks } from './sqlite-books-schema.ts';
import { booksStatements, papersFrom, postedFrom, type BooksStatements } from './sqlite-books-statements.ts';
import { verifyBooks } from './sqlite-books-verify.ts';
import { openSyncs } from './sqlite-grouped.ts';
import {
  checkLength,
  encode,
  openSqlite,
  SqliteRecords,
  type EncodedOperation,
  type OwnSyncs,
} from './sqlite.ts';

const pageMax = 1000;
const empty = Buffer.alloc(0);

/**
 * Opens books in one SQLite file, where its triggers and constraints guard them. Who books waits for the disk, and the process does something
 * else meanwhile: see openGroupedRecords.
 */
export async function openSqliteBooks(path: string, options: WalSyncOptions): Promise<Books> {
  return openSqlite(path, {
    syncs: 'by-owner',
    over: async (file) => {
      prepareBooks(file);
      return new SqliteBooks(file, path, await openSyncs(file, options));
    },
  });
}

interface EncodedPaper extends Omit<Paper, 'value'> {
  readonly text: string;
}

interface EncodedBooking {
  readonly operations: readonly EncodedOperation[];
  readonly transactions: readonly LedgerTransaction[];
  readonly papers: readonly EncodedPaper[];
}

class SqliteBooks extends SqliteRecords implements Books {
  readonly #statements: BooksStatements;
  readonly #book: (booking: EncodedBooking) => void;

  constructor(file: SqliteFile, path: string, syncs: OwnSyncs) {
    super(file, path, syncs);
    this.#statements = booksStatements(file);
    const book = file.transaction((booking: EncodedBooking) => {
      if (booking.operations.length > 0) this.apply(booking.operations);
      for (const transaction of booking.transactions) this.#post(transaction);
      for (const paper of booking.papers) this.#write(paper);
    });
    this.#book = (booking) => book.immediate(booking);
  }

  book({ operations = [], transactions = [], papers = [] }: Booking): Promise<void> {
    return this.write(() => {
      checkLength(operations.length + transactions.length + papers.length);
      const booking = {
        operations: operations.map(encode),
        transactions: transactions.map((transaction) => valueOf(checkTransaction(transaction))),
        papers: papers.map(encodePaper),
      };
      try {
        this.#book(booking);
      } catch (error) {
        throw asBookError(error);
      }
    });
  }

  transaction(id: string): Promise<PostedTransaction | undefined> {
    return this.run(() => {
      const row = this.#statements.transactionById.get(id);
      return row && postedFrom(row, this.#statements.entries.all(row.sequence));
    });
  }

  transactions(
    options: { account?: string | undefined; after?: number | undefined; limit?: number | undefined } = {},
  ): Promise<readonly PostedTransaction[]> {
    return this.run(() => {
      const { account, after = 0 } = options;
      const limit = pageOf(options.limit);
      const rows =
        account === undefined
          ? this.#statements.transactions.all(after, limit)
          : this.#statements.transactionsOf.all(account, after, limit);
      return rows.map((row) => postedFrom(row, this.#statements.entries.all(row.sequence)));
    });
  }

  balances(
    options: { account?: string | undefined; after?: string | undefined; limit?: number | undefined } = {},
  ): Promise<readonly LedgerBalance[]> {
    return this.run(() => {
      const { account, after = '' } = options;
      if (account !== undefined) return this.#statements.balancesOf.all(account);
      return this.#statements.balances.all(after, pageOf(options.limit));
    });
  }

  paper(id: string): Promise<PaperEntry | undefined> {
    return this.run(() => {
      const row = this.#statements.paper.get(checkRecordKey(id));
      return row && papersFrom([row], this.path)[0];
    });
  }

  papers(
    series: string,
    { after = 0, limit }: { after?: number | undefined; limit?: number | undefined } = {},
  ): Promise<readonly PaperEntry[]> {
    return this.run(() =>
      papersFrom(this.#statements.papers.all(checkCollection(series), after, pageOf(limit)), this.path),
    );
  }

  lastNumber(series: string): Promise<number> {
    return this.run(() => this.#statements.lastPaper.get(checkCollection(series))?.number ?? 0);
  }

  async verify(): Promise<BooksProof> {
    const verified = await this.run(() => ({ proof: verifyBooks(this.file) }));
    return verified.proof.catch((error: unknown) => {
      throw sqliteError(error, `books ${this.path}`);
    });
  }

  #post(transaction: LedgerTransaction): void {
    const { id, atMs, kind, memo, entries } = transaction;
    if (this.#statements.transactionById.get(id) !== undefined)
      throw coded('RECORDS_CONFLICT', `transaction ${id} is in the ledger already`);
    const last = this.#statements.lastTransaction.get();
    const sequence = (last?.sequence ?? 0) + 1;
    entries.forEach(({ account, currency, amount }, index) => {
      this.#statements.addEntry.run(sequence, index + 1, account, currency, amount);
    });
    const hash = chainHash(last?.hash ?? empty, hashedTransaction(transaction));
    this.#statements.addTransaction.run(sequence, id, atMs, kind, memo, hash);
  }

  #write({ series, number, id, text }: EncodedPaper): void {
    if (this.#statements.paper.get(id) !== undefined)
      throw coded('RECORDS_CONFLICT', `paper ${id} is there already`);
    const last = this.#statements.lastPaper.get(series);
    if (number !== (last?.number ?? 0) + 1)
      throw coded('RECORDS_CONFLICT', `${series} ${number} does not come after ${last?.number ?? 0}`);
    const hash = chainHash(last?.hash ?? empty, [series, number, id, text]);
    this.#statements.addPaper.run(series, number, id, text, hash);
  }
}

function encodePaper({ series, number, id, value }: Paper): EncodedPaper {
  return { series: checkCollection(series), number, id: checkRecordKey(id), text: encodeValue(value) };
}

function pageOf(limit: number = pageMax): number {
  return Math.max(1, Math.min(pageMax, Math.trunc(limit)));
}

/** The entries were checked before: what a CHECK of the tables still refuses is the sum that a balance would have. */
function asBookError(error: unknown): unknown {
  if (systemCode(error) !== 'SQLITE_CONSTRAINT_CHECK') return error;
  return coded('AMOUNT_INVALID', {
    detail: 'a balance would be more than can be counted exactly',
    cause: error,
  });
}
