import type { Readable } from 'node:stream';

/** What is known of a blob without reading it. */
export interface BlobStat {
  sizeBytes: number;
  /** When it became visible, wall time; some engines know whole seconds only. */
  modifiedMs: number;
}

export interface BlobEntry extends BlobStat {
  key: string;
}

/** Which bytes to read: `offset` from 0, `length` to the end when absent; what lies beyond the end is left out. */
export interface BlobReadOptions {
  offset?: number | undefined;
  length?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface BlobWriteOptions {
  /** The announced size: another one is refused with SIZE_MISMATCH. Lets some engines write with less memory. */
  sizeBytes?: number | undefined;
  /** Leaves a blob that is there already as it is. Several writers at once: one wins, the others find it there. */
  ifAbsent?: boolean | undefined;
  /** Where blobs are local files: one that only its owner may read. */
  isPrivate?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export type BlobWritten = { kind: 'written'; sizeBytes: number } | { kind: 'exists' };

export interface BlobListOptions {
  /** Only keys that come after this one. */
  after?: string | undefined;
  /** At most so many, 1000 when absent, which is also the most. */
  limit?: number | undefined;
}

/**
 * Files of any size under keys. A blob is visible whole or not at all, and is on the disk when `write` resolves. Keys are
 * `/`-separated words of `A-Z a-z 0-9 . _ -` that do not begin with a dot (see key.ts); KEY_INVALID otherwise. A directory
 * cannot hold both `a` and `a/b`: do not use one key as the folder of another.
 * Errors: KEY_INVALID, DISK_FULL, STORE_DENIED, STORE_UNAVAILABLE; ABORTED or TIMEOUT by the signal.
 */
export interface Blobs {
  stat(key: string): Promise<BlobStat | undefined>;
  /** The bytes of a blob or of a range; undefined when there is none. Read it to the end or destroy it: it holds a file. */
  read(key: string, options?: BlobReadOptions): Promise<Readable | undefined>;
  /** Stores what the source yields, in place of what was there. An error of the source is passed on as it is. */
  write(key: string, source: AsyncIterable<Uint8Array>, options?: BlobWriteOptions): Promise<BlobWritten>;
  /** Removes a blob; one that is not there is already removed. */
  remove(key: string): Promise<void>;
  /** The blobs whose key begins with the prefix (which need not end at a `/`), in the order of the keys' bytes. */
  list(prefix: string, options?: BlobListOptions): Promise<readonly BlobEntry[]>;
  /** Where engines keep blobs as local files: the path, for reading only, without a copy; undefined when there is none. */
  localPath?(key: string): Promise<string | undefined>;
  close(): Promise<void>;
}
