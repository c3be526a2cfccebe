import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';

import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { isOver } from '../fill/wakeup.ts';

export interface LogRotationOptions {
  /** `…/access.log`; what is set aside becomes `…/access-<time>.log`, then `….log.zst`. */
  path: string;
  fileBytesMax: number;
  /** Files that are kept besides the one that is written. */
  filesMax: number;
  clock: Clock;
  log: Log;
  /** Whether the machine has CPU to spare just now. */
  isQuiet: () => boolean;
  /** A file was set aside: writers may be told, or notice by themselves. */
  onRotated?: () => void;
}

const lookMs = 5000;
/** Writers notice within a second that a file was set aside; before it is compressed, all have had time to. */
const graceMs = 10_000;
/** A box that logs much is busy: of all levels this takes the least time, a tenth of what gzip takes, for no larger files. */
const pieceBytes = 2 ** 20;
const quick = { chunkSize: pieceBytes, params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/**
 * Sets the access log aside when it is large or of an earlier day (UTC), compresses what was set aside while the machine
 * has nothing better to do, and removes what is too much. Run by one process; those that write notice that the file is another one.
 */
export class LogRotation {
  readonly #options: LogRotationOptions;
  readonly #folder: string;
  readonly #stem: string;
  #isFailing = false;

  constructor(options: LogRotationOptions) {
    this.#options = options;
    this.#folder = dirname(options.path);
    this.#stem = basename(options.path, '.log');
  }

  /** Looks every few seconds until the signal ends it. Failures are logged once; the next look tries again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    await this.#forgetHalfDone();
    while (!signal.aborted) {
      try {
        await this.look(signal);
        this.#isFailing = false;
      } catch (error) {
        if (isOver(signal)) return;
        if (!this.#isFailing) log.warn({ err: error }, 'the access log is not rotated');
        this.#isFailing = true;
      }
      await clock.sleep(lookMs, { signal }).catch(() => undefined);
    }
  }

  /** One look: sets aside, removes, compresses, as far as there is a reason to. */
  async look(signal?: AbortSignal): Promise<void> {
    const { path, clock, fileBytesMax, onRotated } = this.#options;
    const now = await stat(path).catch(() => undefined);
    if (now !== undefined && now.size > 0 && (now.size >= fileBytesMax || begunMs(now) < today(clock))) {
      await rename(path, await this.#freeName());
      onRotated?.();
    }
    await this.#removeOldest();
    await this.#compress(signal);
  }

  /** Sorted by name, which is by time. */
  async #setAside(): Promise<string[]> {
    const entries = await readdir(this.#folder).catch(() => []);
    return entries.filter((name) => this.#isSetAside(name)).toSorted();
  }

  #isSetAside(name: string): boolean {
    return name.startsWith(`${this.#stem}-`) && /-\d{8}T\d{9}Z\.log(\.zst)?$/.test(name);
  }

  async #freeName(): Promise<string> {
    const taken = new Set((await this.#setAside()).map((name) => name.replace(/\.zst$/, '')));
    for (let ms = this.#options.clock.nowMs(); ; ms++) {
      const name = `${this.#stem}-${new Date(ms).toISOString().replaceAll(/[-:.]/g, '')}.log`;
      if (!taken.has(name)) return join(this.#folder, name);
    }
  }

  async #removeOldest(): Promise<void> {
    const names = await this.#setAside();
    for (const name of names.slice(0, Math.max(0, names.length - this.#options.filesMax))) {
      await rm(join(this.#folder, name), { force: true });
    }
  }

  async #compress(signal: AbortSignal | undefined): Promise<void> {
    for (const name of await this.#setAside()) {
      if (name.endsWith('.zst') || signal?.aborted === true || !this.#options.isQuiet()) continue;
      const path = join(this.#folder, name);
      const { ctimeMs } = await stat(path);
      // The rename changed its ctime. Both are of the machine's wall clock; a jump only makes it sooner or later.
      if (Math.abs(this.#options.clock.nowMs() - ctimeMs) < graceMs) continue;
      const half = `${path}.zst.tmp`;
      try {
        await pipeline(
          createReadStream(path, { highWaterMark: pieceBytes }),
          createZstdCompress(quick),
          createWriteStream(half, { mode: 0o640, highWaterMark: pieceBytes }),
          { signal },
        );
        await rename(half, `${path}.zst`);
        await rm(path, { force: true });
      } catch (error) {
        await rm(half, { force: true }).catch(() => undefined);
        throw error;
      }
    }
  }

  async #forgetHalfDone(): Promise<void> {
    const entries = await readdir(this.#folder).catch(() => []);
    for (const name of entries) {
      const half = name.replace(/\.zst\.tmp$/, '');
      if (half !== name && this.#isSetAside(half)) {
        await rm(join(this.#folder, name), { force: true }).catch(() => undefined);
      }
    }
  }
}

/** When its first line came: it is made with it. Not every file system knows. */
function begunMs({ birthtimeMs, mtimeMs }: { birthtimeMs: number; mtimeMs: number }): number {
  return birthtimeMs > 0 ? Math.min(birthtimeMs, mtimeMs) : mtimeMs;
}

/** The last midnight, UTC. */
function today(clock: Clock): number {
  const nowMs = clock.nowMs();
  return nowMs - (nowMs % 86_400_000);
}
