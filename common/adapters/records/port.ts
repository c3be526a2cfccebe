import type { LedgerTransaction } from '../../core/ledger.ts';

/** A JSON document as it is put; what comes back is `unknown` until its service has parsed it (collection.ts). */
export type RecordValue = object;

/** A document with its version, which grows at every change and is never used again, not even after a removal. */
export interface RecordEntry {
  key: string;
  version: number;
  value: unknown;
}

/**
 * One change of a commit. `expectedVersion`: the version that the record must have, 0 for "must not exist"; any when
 * absent. `check` changes nothing and holds a commit to what it was decided upon.
 */
export type RecordOperation =
  | { kind: 'put'; collection: string; key: string; value: RecordValue; expectedVersion?: number | undefined }
  | { kind: 'remove'; collection: string; key: string; expectedVersion?: number | undefined }
  | { kind: 'check'; collection: string; key: string; expectedVersion: number };

export interface RecordScanOptions {
  /** Only keys that begin with this. */
  prefix?: string | undefined;
  /** Only keys that come after this one: the last key of the page before. */
  after?: string | undefined;
  /** At most so many, 1000 when absent, which is also the most. */
  limit?: number | undefined;
}

/** How a store is copied while it is used. */
export interface StoreCopyOptions {
  /** Awaited when all but the end is copied: the copy is of what is there when it resolves or soon after, and ends with its error. */
  beforeEnd: () => Promise<void>;
  /** How much is copied, from 0 to 1. */
  onProgress?: ((fraction: number) => void) | undefined;
}

/**
 * Collections of JSON documents under ordered keys (the order of their UTF-8 bytes), owned by one process. What a resolved
 * change has changed survives a power cut. Collections are named by `[a-z][a-z0-9-]{0,62}`; keys are 1–512 bytes without
 * control characters; a document is at most 1 MiB of JSON, a commit at most 10,000 changes.
 * Errors: KEY_INVALID, VALUE_TOO_LARGE, RECORDS_CONFLICT, DISK_FULL, STORE_CORRUPT, STORE_DENIED, STORE_UNAVAILABLE; after a
 * failed change nothing of it is there.
 */
export interface Records {
  get(collection: string, key: string): Promise<RecordEntry | undefined>;
  /** Puts one document whatever is there and gives its version. */
  put(collection: string, key: string, value: RecordValue): Promise<number>;
  /** Removes one document; false when there was none. */
  remove(collection: string, key: string): Promise<boolean>;
  scan(collection: string, options?: RecordScanOptions): Promise<readonly RecordEntry[]>;
  /**
   * All of the changes, in their order, or none: RECORDS_CONFLICT when a version is not the expected one. Gives the version
   * that every record put by this commit now has.
   */
  commit(operations: readonly RecordOperation[]): Promise<number>;
  /** Copies all collections to a new local file that the same engine opens, while they are read and changed. It is on the disk when this resolves. */
  copyTo(path: string, options: StoreCopyOptions): Promise<void>;
  /** What was removed before this was called is in no file when it resolves, but of stores so large that all else would wait for it. */
  purge(): Promise<void>;
  close(): Promise<void>;
}

/** A transaction as it stands in the ledger, for good. */
export interface PostedTransaction extends LedgerTransaction {
  /** From 1 on, without gaps. */
  readonly sequence: number;
  /** Over this transaction and, by the hash before it, all earlier ones: SHA-256 in lower-case hex. */
  readonly hash: string;
}

/** What an account has of one currency: the sum of its entries. */
export interface LedgerBalance {
  readonly account: string;
  readonly currency: string;
  readonly amount: number;
}

/** A document that never changes once it is there, like an invoice. */
export interface Paper {
  /** What is numbered together: named like a collection. */
  readonly series: string;
  /** The one after the last of its series, from 1 on: RECORDS_CONFLICT for another. */
  readonly number: number;
  /** Chosen by whoever writes it, once for ever, in all series together; like a key of records. */
  readonly id: string;
  readonly value: RecordValue;
}

/** A paper as it is read; its value is `unknown` until its service has parsed it. */
export interface PaperEntry {
  readonly series: string;
  readonly number: number;
  readonly id: string;
  readonly value: unknown;
}

/** What is booked together. */
export interface Booking {
  readonly operations?: readonly RecordOperation[];
  readonly transactions?: readonly LedgerTransaction[];
  readonly papers?: readonly Paper[];
}

/** What looking through all of the books found. */
export interface BooksProof {
  readonly transactions: number;
  readonly entries: number;
  readonly balances: number;
  readonly papers: number;
  /** What is wrong, a sentence each, at most a hundred; none where all is as it must be. */
  readonly faults: readonly string[];
}

/**
 * Records with a ledger and with papers beside them, for what must change in one commit with money. Whatever is in the ledger or
 * on paper stays as it is: the engine itself refuses changes, removals, transactions that do not sum to zero in each currency, and
 * gaps between numbers. Errors beside those of records: the ledger's (common/core/ledger.ts); RECORDS_CONFLICT for an id of a
 * transaction or of a paper that is there already; AMOUNT_INVALID for a balance that could not be counted exactly.
 */
export interface Books extends Records {
  /** All of it, or nothing; at most 10,000 changes. */
  book(booking: Booking): Promise<void>;
  /** A transaction by its id. */
  transaction(id: string): Promise<PostedTransaction | undefined>;
  /** Transactions, or those with an entry of `account`, in their order: after one by its sequence, at most 1000. */
  transactions(options?: {
    account?: string | undefined;
    after?: number | undefined;
    limit?: number | undefined;
  }): Promise<readonly PostedTransaction[]>;
  /** What accounts have, by their names: those of `account` alone, or after those of an account; at most 1000 accounts. */
  balances(options?: {
    account?: string | undefined;
    after?: string | undefined;
    limit?: number | undefined;
  }): Promise<readonly LedgerBalance[]>;
  paper(id: string): Promise<PaperEntry | undefined>;
  /** The number of the last paper of a series; 0 where there is none. */
  lastNumber(series: string): Promise<number>;
  /** The papers of a series, in their order: after a number, at most 1000. */
  papers(
    series: string,
    options?: { after?: number | undefined; limit?: number | undefined },
  ): Promise<readonly PaperEntry[]>;
  /** Counts and compares everything again, in pieces, so that others are served meanwhile. */
  verify(): Promise<BooksProof>;
}
