import { open, readdir, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { makeDirectory, syncDirectory } from '../../common/runtime/durable.ts';
import { isCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { Wakeup } from '../fill/wakeup.ts';
import { isAbsent, storeFailure } from '../store/failure.ts';

/** What is sent at a time: the lines of one file of the spool. */
export interface SpoolEntry {
  /** Grows by one with each entry for as long as the folder lives, over all restarts. */
  readonly sequence: number;
  /** Random, the same for every attempt. */
  readonly id: string;
  readonly lines: readonly unknown[];
}

export interface SpoolOptions {
  /** A folder of its own. */
  path: string;
  /** What an entry is, in the log: `a fill report`. */
  what: string;
  /** Delivers one entry; a repeat with the same sequence must be harmless. Errors are the uplink's. */
  send: (entry: SpoolEntry, signal: AbortSignal) => Promise<void>;
  /** For how long lines are gathered before they are sent, counted from the entry that was sent before. */
  gatherMs: number;
  /** An entry with so many lines or bytes is complete. */
  linesMax: number;
  bytesMax: number;
  /** Entries kept while the control plane is gone; above it the oldest are dropped. */
  entriesMax: number;
  clock: Clock;
  chance: Chance;
  log: Log;
}

interface OpenEntry {
  readonly sequence: number;
  readonly handle: FileHandle;
  bytes: number;
  lines: number;
}

const retryMs = 5000;
const idleMs = 60_000;

/**
 * Keeps lines on the disk until the control plane has taken them, in order and at least once. Each entry is a file that
 * lines are appended to; it is complete when it is sent or full. The last that was taken stays as `<sequence>.taken`, so
 * that a sequence is never used twice. A process that dies loses what `append` had not resolved for, and nothing else.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #wakeup: Wakeup;
  #complete: number[] = [];
  #open: OpenEntry | undefined;
  #last = 0;
  #dropped = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  /** Entries that were dropped: the control plane was away for too long, or refused them for what they say. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Finds what an earlier process left to be sent. */
  async open(): Promise<void> {
    const { path } = this.#options;
    try {
      await makeDirectory(path);
      const names = await readdir(path);
      const numbered = names.filter((name) => /^\d{12}\.(?:jsonl|taken)$/.test(name)).toSorted();
      this.#last = Number(numbered.at(-1)?.slice(0, 12) ?? 0);
      this.#complete = numbered
        .filter((name) => name.endsWith('.jsonl'))
        .map((name) => Number(name.slice(0, 12)));
    } catch (error) {
      throw storeFailure(error, `opening ${path}`);
    }
  }

  /** Adds lines, each a JSON value; resolves when they are on the disk. Errors: DISK_FULL, STORE_UNAVAILABLE. */
  append(lines: readonly object[]): Promise<void> {
    return this.#inTurn(async () => {
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      const entry = (this.#open ??= await this.#begin());
      try {
        await entry.handle.writeFile(text);
        await entry.handle.datasync();
      } catch (error) {
        // Whoever hears of the failure still has the lines: a part of them must not count besides.
        await entry.handle.truncate(entry.bytes).catch(() => undefined);
        await this.#finish();
        throw storeFailure(error, `writing ${this.#options.what}`);
      }
      entry.bytes += Buffer.byteLength(text);
      entry.lines += lines.length;
      if (entry.lines >= this.#options.linesMax || entry.bytes >= this.#options.bytesMax)
        await this.#finish();
      this.#wakeup.notify();
    });
  }

  /** Later entries have sequences above this: whoever takes them has seen it already. */
  skipTo(sequence: number): void {
    this.#last = Math.max(this.#last, sequence);
  }

  /** Sends entries as they come until the signal ends it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, chance, what, gatherMs } = this.#options;
    let sentAtMs = -Infinity;
    while (!signal.aborted) {
      const waitMs = sentAtMs + gatherMs - clock.monotonicMs();
      const isDue = this.#complete.length > 0 || (this.#open !== undefined && waitMs <= 0);
      if (!isDue) {
        await this.#wakeup.wait(this.#open === undefined ? idleMs : waitMs, signal);
        continue;
      }
      sentAtMs = clock.monotonicMs();
      try {
        await this.#sendOldest(signal);
      } catch (error) {
        log.debug({ err: error }, `${what} waits`);
        await clock.sleep(retryMs * (0.5 + chance.fraction()), { signal }).catch(() => undefined);
      }
    }
  }

  /** What is gathered stays on the disk for the next start. */
  async close(): Promise<void> {
    await this.#inTurn(() => this.#finish());
  }

  async #sendOldest(signal: AbortSignal): Promise<void> {
    if (this.#complete.length === 0) await this.#inTurn(() => this.#finish());
    const [sequence] = this.#complete;
    if (sequence === undefined) return;
    const entry = await this.#read(sequence);
    try {
      if (entry !== undefined) await this.#options.send(entry, signal);
    } catch (error) {
      // What is refused for what it says would be refused for ever.
      if (!isCoded(error, 'INVALID', 'BAD_REQUEST', 'BODY_TOO_LARGE')) throw error;
      const { log, what } = this.#options;
      log.warn({ err: error, sequence }, `${what} was refused and is dropped`);
      this.#dropped++;
    }
    await this.#inTurn(() => this.#retire(sequence));
  }

  async #begin(): Promise<OpenEntry> {
    const { path, what, chance } = this.#options;
    const sequence = this.#last + 1;
    const file = this.#file(sequence);
    try {
      const handle = await open(file, 'ax', 0o640);
      const head = `${JSON.stringify({ id: chance.bytes(12).toString('hex') })}\n`;
      try {
        await handle.writeFile(head);
        await syncDirectory(path);
      } catch (error) {
        await handle.close().catch(() => undefined);
        await rm(file, { force: true }).catch(() => undefined);
        throw error;
      }
      // Only now: a sequence that no entry has would look like a report that is lost.
      this.#last = Math.max(this.#last, sequence);
      return { sequence, handle, bytes: head.length, lines: 0 };
    } catch (error) {
      throw storeFailure(error, `writing ${what}`);
    }
  }

  /** The open entry is complete. */
  async #finish(): Promise<void> {
    const entry = this.#open;
    if (entry === undefined) return;
    this.#open = undefined;
    await entry.handle.close().catch(() => undefined);
    if (entry.lines === 0) {
      // Nothing could be written: its sequence is used by the next.
      await rm(this.#file(entry.sequence), { force: true }).catch(() => undefined);
      if (this.#last === entry.sequence) this.#last--;
      return;
    }
    this.#complete.push(entry.sequence);
    const { entriesMax, log, what } = this.#options;
    while (this.#complete.length > entriesMax) {
      const oldest = this.#complete.shift() ?? 0;
      if (this.#dropped++ === 0) log.warn({ sequence: oldest }, `${what} is dropped: too many wait`);
      await rm(this.#file(oldest), { force: true }).catch(() => undefined);
    }
  }

  /** Undefined where it was dropped meanwhile. An entry without lines is one like others: its sequence is used. */
  async #read(sequence: number): Promise<SpoolEntry | undefined> {
    const text = await readFile(this.#file(sequence), 'utf8').catch((error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw storeFailure(error, `reading ${this.#options.what}`);
    });
    if (text === undefined) return undefined;
    // The process may have died in the middle of the last line.
    const [head, ...lines] = text.split('\n').slice(0, -1).flatMap(parsed);
    const id = (head as { id?: unknown } | undefined)?.id;
    return typeof id === 'string' ? { sequence, id, lines } : { sequence, id: '', lines: [] };
  }

  async #retire(sequence: number): Promise<void> {
    this.#complete = this.#complete.filter((each) => each !== sequence);
    const { path } = this.#options;
    try {
      await rename(this.#file(sequence), join(path, `${nameOf(sequence)}.taken`));
      for (const name of await readdir(path)) {
        if (name.endsWith('.taken') && Number(name.slice(0, 12)) < sequence)
          await rm(join(path, name), { force: true });
      }
    } catch {
      // It is sent again after the next start, which is harmless.
    }
  }

  #file(sequence: number): string {
    return join(this.#options.path, `${nameOf(sequence)}.jsonl`);
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function nameOf(sequence: number): string {
  return String(sequence).padStart(12, '0');
}

function parsed(line: string): unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
