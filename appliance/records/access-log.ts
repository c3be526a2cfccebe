import { mkdir, open, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';

export interface AccessLogOptions {
  path: string;
  clock: Clock;
  log: Log;
  /** Lines that wait while others are written; what comes above it is dropped. */
  bufferBytes?: number;
}

const bufferBytesDefault = 2 * 2 ** 20;
/** What comes within this goes in one write. */
const gatherMs = 100;
/** A batch that need not be gathered any longer. */
const batchBytes = 256 * 1024;
/** Between looks whether the file was set aside, and between attempts to open it. */
const lookMs = 1000;

/**
 * Appends lines to the access log. Several processes append to one file (O_APPEND): each write has whole lines, so they
 * never mix. Nobody ever waits for the log: while the disk is slow, lines wait in a bounded buffer; what does not fit or
 * cannot be written is dropped and counted, and serving goes on.
 *
 * Two buffers take turns for good: new ones at a hundred thousand lines a second would keep the garbage collector marking.
 */
export class AccessLog {
  readonly #options: AccessLogOptions;
  #waiting: Buffer;
  #waitingBytes = 0;
  #spare: Buffer;
  #handle: FileHandle | undefined;
  #inode = 0n;
  #lookAtMs = 0;
  #work: Promise<void> | undefined;
  #hurry = new AbortController();
  #dropped = 0;
  #isFailing = false;
  /** A write ended in mid-line: the next begins on a line of its own. */
  #isTorn = false;

  constructor(options: AccessLogOptions) {
    this.#options = options;
    const { bufferBytes = bufferBytesDefault } = options;
    // Untouched memory costs nothing.
    this.#waiting = Buffer.allocUnsafeSlow(bufferBytes);
    this.#spare = Buffer.allocUnsafeSlow(bufferBytes);
  }

  /** Lines that were lost because the disk was slow, full or broken. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes a copy of whole lines, each with its newline. */
  append(lines: Buffer): void {
    if (lines.length === 0) return;
    if (this.#waitingBytes + lines.length > this.#waiting.length) {
      this.#dropped += countLines(lines);
      return;
    }
    this.#waitingBytes += lines.copy(this.#waiting, this.#waitingBytes);
    if (this.#waitingBytes >= batchBytes) this.#hurry.abort();
    this.#work ??= this.#run();
  }

  /** Writes what waits and closes the file. */
  async close(): Promise<void> {
    this.#hurry.abort();
    await this.#work;
    await this.#closeFile();
  }

  async #run(): Promise<void> {
    await this.#options.clock.sleep(gatherMs, { signal: this.#hurry.signal }).catch(() => undefined);
    this.#hurry = new AbortController();
    while (this.#waitingBytes > 0) {
      const lines = this.#waiting.subarray(0, this.#waitingBytes);
      [this.#waiting, this.#spare] = [this.#spare, this.#waiting];
      this.#waitingBytes = 0;
      try {
        await this.#write(lines);
        this.#recovered();
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#work = undefined;
  }

  async #write(lines: Buffer): Promise<void> {
    let at = 0;
    try {
      const handle = await this.#file();
      while (at < lines.length) {
        const rest = lines.subarray(at);
        const bytes = this.#isTorn ? Buffer.concat([newline, rest]) : rest;
        const { bytesWritten } = await handle.write(bytes);
        if (bytesWritten === 0) throw coded('STORE_UNAVAILABLE', 'nothing more can be appended');
        // What is torn is written again as a whole: others may have appended to its first part meanwhile.
        const whole = bytes.subarray(0, bytesWritten).lastIndexOf(0x0a) + 1;
        at += Math.max(0, whole - (this.#isTorn ? 1 : 0));
        this.#isTorn = whole < bytesWritten;
      }
    } catch (error) {
      this.#dropped += countLines(lines.subarray(at));
      throw error;
    }
  }

  /** The file as it is now; opened anew where it was set aside. */
  async #file(): Promise<FileHandle> {
    const { path, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#handle !== undefined && nowMs < this.#lookAtMs) return this.#handle;
    // Between attempts to open it nothing is tried: a broken disk may make each of them slow.
    if (this.#handle === undefined && this.#isFailing && nowMs < this.#lookAtMs) {
      throw coded('STORE_UNAVAILABLE', `${path} could not be opened a moment ago`);
    }
    this.#lookAtMs = nowMs + lookMs;
    const there = await stat(path, { bigint: true }).catch(() => undefined);
    if (this.#handle !== undefined && there?.ino === this.#inode) return this.#handle;
    await this.#closeFile();
    await mkdir(dirname(path), { recursive: true, mode: 0o750 });
    const handle = await open(path, 'a', 0o640);
    try {
      this.#inode = (await handle.stat({ bigint: true })).ino;
    } catch (error) {
      await handle.close().catch(() => undefined);
      throw error;
    }
    this.#handle = handle;
    this.#isTorn = false;
    return handle;
  }

  async #closeFile(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => undefined);
  }

  /** Said once, not for every batch: a full disk is not a reason to fill it with complaints. */
  #failed(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.log.warn({ err: error }, 'the access log cannot be written; its lines are dropped');
  }

  #recovered(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.log.info({ dropped: this.#dropped }, 'the access log is written again');
  }
}

const newline = Buffer.from('\n');

function countLines(lines: Buffer): number {
  let count = 0;
  for (let at = lines.indexOf(0x0a); at !== -1; at = lines.indexOf(0x0a, at + 1)) count++;
  return count;
}
