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
  close(): Promise<void>;
}
