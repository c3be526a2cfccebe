import { open, type FileHandle } from 'node:fs/promises';
import { CodedError, coded } from '../../runtime/errors.ts';
import { storeError } from '../shared/store-error.ts';
import { encodeBatch } from './log-frame.ts';
import { createSegment } from './log-open.ts';
import { SEGMENT_HEADER_BYTES, notePlace, type Segment } from './log-segment.ts';

// What may wait while the disk is busy; one flush takes at most a part of it.
const PENDING_BYTES_MAX = 16 * 1024 * 1024;
const FLUSH_BYTES_MAX = 4 * 1024 * 1024;

interface PendingBatch {
  payloads: readonly Buffer[];
  sizeBytes: number;
  resolve: (firstOffset: number) => void;
  reject: (error: CodedError) => void;
}

/** What the writer does beyond writing. */
export interface LogWriterOptions {
  directory: string;
  /** The log's files, oldest first; the writer appends to the last and adds new ones. */
  segments: Segment[];
  segmentBytes: number;
  /** Called after each flush that has reached the disk. */
  onFlushed: () => void;
  /** Called after a new file was begun. */
  onRolled: () => Promise<void>;
}

/**
 * Appends batches to the last file of a log with one fsync for all that came while the one before was under way (group
 * commit): many small batches cost hardly more than one.
 */
export class LogWriter {
  readonly #options: LogWriterOptions;
  #handle: FileHandle | undefined;
  #pending: PendingBatch[] = [];
  #pendingBytes = 0;
  #flushing: Promise<void> | undefined;
  /** Set when the file's state is no longer known: nothing is written until the log is opened again. */
  #broken: CodedError | undefined;

  constructor(options: LogWriterOptions) {
    this.#options = options;
  }

  /** Resolves to the offset of the first event when the batch is on the disk. */
  append(payloads: readonly Buffer[]): Promise<number> {
    const sizeBytes = payloads.reduce((sum, payload) => sum + payload.length, 0);
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (this.#pendingBytes + sizeBytes > PENDING_BYTES_MAX) {
      return Promise.reject(coded('OVERLOADED', 'the disk does not keep up with the event log'));
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ payloads, sizeBytes, resolve, reject });
      this.#pendingBytes += sizeBytes;
      this.#flushing ??= this.#flushAll();
    });
  }

  /** Waits for what is being written and closes the file. */
  async close(): Promise<void> {
    await this.#flushing;
    this.#broken ??= coded('STORE_UNAVAILABLE', 'the event log is closed');
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #flushAll(): Promise<void> {
    // What is appended in the same turn goes into the same flush.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const group = this.#takeGroup();
      try {
        const firstOffsets = await this.#flush(group);
        for (const [index, batch] of group.entries()) batch.resolve(firstOffsets[index] ?? 0);
        this.#options.onFlushed();
      } catch (error) {
        const failure = storeError(error, `appending to ${this.#options.directory}`);
        for (const batch of group) batch.reject(this.#broken ?? failure);
      }
    }
    // In the same step as the last look at what is pending: a batch in between would wait for the next one.
    this.#flushing = undefined;
  }

  #takeGroup(): PendingBatch[] {
    let groupBytes = 0;
    let count = 0;
    for (const batch of this.#pending) {
      if (count > 0 && groupBytes + batch.sizeBytes > FLUSH_BYTES_MAX) break;
      groupBytes += batch.sizeBytes;
      count += 1;
    }
    this.#pendingBytes -= groupBytes;
    return this.#pending.splice(0, count);
  }

  /** Writes a group of batches and gives the first offset of each. */
  async #flush(group: readonly PendingBatch[]): Promise<number[]> {
    if (this.#broken !== undefined) throw this.#broken;
    const segment = await this.#segmentToWrite();
    let offset = segment.nextOffset;
    const firstOffsets: number[] = [];
    const parts: Buffer[] = [];
    for (const { payloads } of group) {
      firstOffsets.push(offset);
      parts.push(encodeBatch(payloads, offset));
      offset += payloads.length;
    }
    const bytes = Buffer.concat(parts);
    await this.#writeDurably(segment, bytes);
    notePlaces(segment, firstOffsets, parts);
    segment.sizeBytes += bytes.length;
    segment.nextOffset = offset;
    return firstOffsets;
  }

  async #segmentToWrite(): Promise<Segment> {
    const { segments, segmentBytes, directory } = this.#options;
    const last = segments.at(-1);
    if (last === undefined) throw coded('STORE_CORRUPT', `${directory} has no file`);
    if (last.sizeBytes < segmentBytes || last.sizeBytes === SEGMENT_HEADER_BYTES) return last;
    const segment = await createSegment(directory, last.nextOffset);
    await this.#handle?.close();
    this.#handle = undefined;
    segments.push(segment);
    await this.#options.onRolled();
    return segment;
  }

  async #writeDurably(segment: Segment, bytes: Buffer): Promise<void> {
    this.#handle ??= await open(segment.path, 'r+');
    const handle = this.#handle;
    try {
      let written = 0;
      while (written < bytes.length) {
        const left = bytes.length - written;
        written += (await handle.write(bytes, written, left, segment.sizeBytes + written)).bytesWritten;
      }
      await handle.datasync();
    } catch (error) {
      await this.#takeBack(segment, storeError(error, `appending to ${segment.path}`));
      throw error;
    }
  }

  /**
   * Cuts the file back to its last whole batch. After a failed fsync other than for want of space the kernel may have thrown
   * pages away while it calls them clean (https://lwn.net/Articles/752063/): then only opening again can tell what is there.
   */
  async #takeBack(segment: Segment, failure: CodedError): Promise<void> {
    if (failure.code !== 'DISK_FULL') this.#broken = failure;
    try {
      await this.#handle?.truncate(segment.sizeBytes);
    } catch (error) {
      this.#broken = storeError(error, `cutting back ${segment.path}`);
    }
  }
}

function notePlaces(segment: Segment, firstOffsets: readonly number[], parts: readonly Buffer[]): void {
  let position = segment.sizeBytes;
  for (const [index, offset] of firstOffsets.entries()) {
    notePlace(segment, { offset, position });
    position += parts[index]?.length ?? 0;
  }
}
