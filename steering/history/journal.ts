import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { checkOf, endLine } from './journal-checks.ts';
import { pruneSegments, segmentPath } from './journal-files.ts';

export interface JournalOptions {
  readonly directory: string;
  /** What every segment begins with: lines from which what follows can be understood. */
  readonly opening: () => readonly string[];
  readonly keepMs: number;
  readonly bytesMax: number;
  /**
   * A segment ends after so long, or so many bytes before compression: to read one moment, one segment is read, and damage
   * costs what follows it in one segment.
   */
  readonly segmentMs: number;
  readonly segmentBytes: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** What waits to be compressed while the disk is slow; above it, lines are dropped. */
const waitingBytesMax = 16 * 2 ** 20;
/** A crash costs no more than this. */
const flushMs = 1000;
/** Lines that are compressed together: each time costs whoever answers as much as some answers. */
const gatheredMax = 64 * 1024;
// One map is much like the one before it. The window must hold a whole one, then the next costs what has changed.
const compression = {
  params: {
    [constants.ZSTD_c_compressionLevel]: 3,
    [constants.ZSTD_c_windowLog]: 24,
    [constants.ZSTD_c_enableLongDistanceMatching]: 1,
  },
};

interface Writing {
  readonly compress: ZstdCompress;
  readonly done: Promise<void>;
  readonly startMs: number;
  /** Lines that wait to be compressed together. */
  gathered: string;
  bytes: number;
  flushedBytes: number;
}

/**
 * Keeps lines for a time, in compressed segments that are bounded in age and size. Writing never holds anybody up: what the
 * disk does not take in time is dropped and counted, and where it fails altogether the next segment tries again.
 */
export class Journal {
  readonly #options: JournalOptions;
  #writing: Writing | undefined;
  #dropped = 0;
  #isFailing = false;
  /** No segment is begun before: a disk that fails is not asked again for every line. */
  #retryAtMs = 0;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** Lines that were lost because the disk was slow, full or broken. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Bytes that wait to be compressed. */
  get waitingBytes(): number {
    return this.#writing?.compress.writableLength ?? 0;
  }

  /** Makes its directory. @throws STORE_UNAVAILABLE */
  async open(): Promise<void> {
    const { directory } = this.#options;
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw coded('STORE_UNAVAILABLE', { detail: `the journal ${directory} cannot be made`, cause });
    }
    await this.#prune();
  }

  /** Takes a line without its newline. */
  append(line: string): void {
    const writing = this.#segment();
    if (writing === undefined || this.waitingBytes > waitingBytesMax) {
      this.#dropped++;
      return;
    }
    put(writing, line);
  }

  /** Flushes, begins segments and removes what is too old, until the signal ends it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(flushMs, { signal }).catch(() => undefined);
      this.#flush();
    }
    await this.#end();
  }

  #flush(): void {
    const writing = this.#writing;
    if (writing === undefined || writing.bytes === writing.flushedBytes) return;
    writing.flushedBytes = writing.bytes;
    passOn(writing);
    writing.compress.flush();
  }

  #segment(): Writing | undefined {
    const { clock, segmentMs, segmentBytes, opening } = this.#options;
    const writing = this.#writing;
    const nowMs = clock.monotonicMs();
    if (writing !== undefined && nowMs - writing.startMs < segmentMs && writing.bytes < segmentBytes)
      return writing;
    if (nowMs < this.#retryAtMs) return undefined;
    void this.#end().then(() => this.#prune());
    const next = this.#begin();
    for (const line of opening()) put(next, line);
    return next;
  }

  #begin(): Writing {
    const { directory, clock } = this.#options;
    const path = segmentPath(directory, clock.nowMs());
    const compress = createZstdCompress(compression);
    const file = createWriteStream(path, { flags: 'a', mode: 0o600 });
    compress.pipe(file);
    // By this a reader knows that all lines are checked.
    compress.write(`${checkOf([])}\n`);
    const startMs = clock.monotonicMs();
    const done = this.#watch(compress, file);
    const writing = { compress, startMs, gathered: '', bytes: 0, flushedBytes: 0, done };
    this.#writing = writing;
    return writing;
  }

  async #watch(compress: ZstdCompress, file: ReturnType<typeof createWriteStream>): Promise<void> {
    const { clock, log, directory } = this.#options;
    file.once('error', (error) => compress.destroy(error));
    compress.on('error', () => file.destroy());
    try {
      await finished(file);
      this.#isFailing = false;
    } catch (error) {
      if (this.#writing?.compress === compress) this.#writing = undefined;
      this.#retryAtMs = clock.monotonicMs() + flushMs;
      if (!this.#isFailing) log.warn({ err: error, directory }, 'the journal cannot be written');
      this.#isFailing = true;
    }
  }

  async #end(): Promise<void> {
    const writing = this.#writing;
    if (writing === undefined) return;
    this.#writing = undefined;
    passOn(writing);
    writing.compress.end(`${endLine}\n`);
    await writing.done;
  }

  async #prune(): Promise<void> {
    const { directory, keepMs, bytesMax, clock, log } = this.#options;
    try {
      await pruneSegments(directory, { beforeMs: clock.nowMs() - keepMs, bytesMax });
    } catch (error) {
      log.warn({ err: error, directory }, 'old segments of the journal cannot be removed');
    }
  }
}

function put(writing: Writing, line: string): void {
  writing.gathered += `${line}\n`;
  writing.bytes += line.length + 1;
  if (writing.gathered.length >= gatheredMax) passOn(writing);
}

function passOn(writing: Writing): void {
  const { gathered } = writing;
  writing.gathered = '';
  if (gathered !== '') writing.compress.write(`${gathered}${checkOf([gathered])}\n`);
}
