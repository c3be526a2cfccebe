import type { ReadBy } from './chunk-check.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';
import type { SizedFile } from './packed-files.ts';

/** What a disk holds, as its index says. */
export interface DiskContents {
  /** Each once. */
  readonly held: Iterable<SizedFile>;
  /** Downloads that can be resumed. */
  readonly partial: ReadonlySet<string>;
}

/** A download that goes on: its chunk list, and which of its chunks are there, verified anew. */
export interface ResumedDownload {
  readonly descriptor: Buffer;
  /** As a `ChunkMap` has them. */
  readonly bits: Uint8Array;
  readonly resumedBytes: number;
}

/** How long a disk took for the bytes of one download. */
export interface WriteSpeed {
  readonly writtenBytes: number;
  readonly spentMs: number;
}

/** The index and the disk differed: a file was found that was not in it (with its bytes), or one in it is not there whole. */
export interface FoundDifference {
  readonly file: string;
  /** Undefined where it is gone. */
  readonly sizeBytes: number | undefined;
}

/**
 * All that is done on one disk besides reading what is held: by one process, which alone opens its index. What is done to one
 * file is done in the order in which it was asked for. Errors: DISK_FAILED, DISK_GONE, DISK_READ_ONLY, DISK_FULL,
 * STORE_UNAVAILABLE.
 */
export interface DiskWriter {
  /** Chunks that are put together here are written without being copied. */
  readonly buffers: ChunkBuffers;
  /** What the file system has free. */
  freeBytes(): Promise<number>;
  /** Begins a download: its chunk list is durable when this resolves. FILE_CORRUPT where it is not the file's. */
  begin(file: string, descriptor: Buffer): Promise<void>;
  /** Goes on with a download; undefined where there is none that is of use. */
  resume(file: string): Promise<ResumedDownload | undefined>;
  /** Verifies a chunk of a download and writes it at its place; false when it does not match, and nothing is written. */
  put(file: string, index: number, chunk: Uint8Array): Promise<boolean>;
  /** Makes a whole download a held file: durable, renamed, in the index, in this order. */
  publish(file: string): Promise<WriteSpeed>;
  /** Gives up a download and its bytes. */
  discard(file: string): Promise<void>;
  /** Deletes a held file. */
  remove(file: string): Promise<void>;
  /** Makes a held file that was found bad a download again; what cannot be kept is deleted. */
  sendBack(file: string): Promise<void>;
  /** Whether the file lies whole on the disk; where it does not, it leaves the index, and what is left of it is removed. */
  examine(file: string): Promise<boolean>;
  /** Verifies a chunk of a held file; one that the disk does not give is bad. */
  check(file: string, index: number, by: ReadBy): Promise<'good' | 'bad' | 'gone'>;
  /** Tells where index and disk turned out to differ. */
  onFound(listener: (found: FoundDifference) => void): void;
  /** Lets go of the disk; what is under way can be resumed. */
  close(): Promise<void>;
}
