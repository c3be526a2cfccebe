import type { LedgerEntry } from '../../core/ledger.ts';
import { coded } from '../../runtime/errors.ts';
import type { SqliteFile } from '../shared/sqlite-file.ts';
import type { LedgerBalance, PaperEntry, PostedTransaction } from './port.ts';

/** A transaction as its table has it. */
export interface TransactionRow {
  sequence: number;
  id: string;
  at_ms: number;
  kind: string;
  memo: string;
  hash: Buffer;
}

export interface EntryRow extends LedgerEntry {
  sequence: number;
}

/** A paper as its table has it. */
export interface PaperRow {
  series: string;
  number: number;
  id: string;
  value: string;
  hash: Buffer;
}

export type BooksStatements = ReturnType<typeof booksStatements>;

const transactionColumns = 'sequence, id, at_ms, kind, memo, hash';
const paperColumns = 'series, number, id, value, hash';

/** The statements of books, prepared once. */
export function booksStatements(file: SqliteFile) {
  return {
    addEntry: file.prepare<[number, number, string, string, number]>(
      'INSERT INTO ledger_entries (sequence, line, account, currency, amount) VALUES (?, ?, ?, ?, ?)',
    ),
    addTransaction: file.prepare<[number, string, number, string, string, Buffer]>(
      `INSERT INTO ledger_transactions (${transactionColumns}) VALUES (?, ?, ?, ?, ?, ?)`,
    ),
    addPaper: file.prepare<[string, number, string, string, Buffer]>(
      `INSERT INTO papers (${paperColumns}) VALUES (?, ?, ?, ?, ?)`,
    ),
    lastTransaction: file.prepare<[], { sequence: number; hash: Buffer }>(
      'SELECT sequence, hash FROM ledger_transactions ORDER BY sequence DESC LIMIT 1',
    ),
    lastPaper: file.prepare<[string], { number: number; hash: Buffer }>(
      'SELECT number, hash FROM papers WHERE series = ? ORDER BY number DESC LIMIT 1',
    ),
    transactionById: file.prepare<[string], TransactionRow>(
      `SELECT ${transactionColumns} FROM ledger_transactions WHERE id = ?`,
    ),
    transactions: file.prepare<[number, number], TransactionRow>(
      `SELECT ${transactionColumns} FROM ledger_transactions WHERE sequence > ? ORDER BY sequence LIMIT ?`,
    ),
    transactionsOf: file.prepare<[string, number, number], TransactionRow>(
      `SELECT ${transactionColumns} FROM ledger_transactions WHERE sequence IN
        (SELECT DISTINCT sequence FROM ledger_entries WHERE account = ? AND sequence > ? ORDER BY sequence LIMIT ?)
        ORDER BY sequence`,
    ),
    entries: file.prepare<[number], LedgerEntry>(
      'SELECT account, currency, amount FROM ledger_entries WHERE sequence = ? ORDER BY line',
    ),
    balances: file.prepare<[string, number], LedgerBalance>(
      `SELECT account, currency, amount FROM ledger_balances WHERE account IN
        (SELECT DISTINCT account FROM ledger_balances WHERE account > ? ORDER BY account LIMIT ?) ORDER BY account, currency`,
    ),
    balancesOf: file.prepare<[string], LedgerBalance>(
      'SELECT account, currency, amount FROM ledger_balances WHERE account = ? ORDER BY currency',
    ),
    paper: file.prepare<[string], PaperRow>(`SELECT ${paperColumns} FROM papers WHERE id = ?`),
    papers: file.prepare<[string, number, number], PaperRow>(
      `SELECT ${paperColumns} FROM papers WHERE series = ? AND number > ? ORDER BY number LIMIT ?`,
    ),
  };
}

/** A transaction of its row and those of its entries. */
export function postedFrom(row: TransactionRow, entries: readonly LedgerEntry[]): PostedTransaction {
  const { at_ms: atMs, hash, ...rest } = row;
  return { ...rest, atMs, hash: hash.toString('hex'), entries };
}

/** Papers of their rows. STORE_CORRUPT for one that is no JSON. */
export function papersFrom(rows: readonly PaperRow[], path: string): PaperEntry[] {
  return rows.map(({ series, id, number, value }) => {
    try {
      return { series, id, number, value: JSON.parse(value) as unknown };
    } catch (error) {
      throw coded('STORE_CORRUPT', { detail: `${path}: paper ${id} is not JSON`, cause: error });
    }
  });
}
