import { chunkCount, chunkLengthBytes } from '../../common/core/chunk-tree.ts';
import { FileName } from '../../common/contract/primitives.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import type { ScrubRecords } from '../metrics.ts';
import { earnScrub, scrubWaitMs, type ScrubAllowance } from '../core/scrub-pace.ts';
import type { ReadBy } from '../store/chunk-check.ts';
import { readIfPresent, replaceFile } from '../store/durable.ts';
import type { FileStore } from '../store/file-store.ts';

export interface ScrubberOptions {
  store: FileStore;
  /** Where it keeps how far it is. */
  path: string;
  /** What is read in 30 days; all that is held, once, if absent. */
  budgetBytes: number | undefined;
  /** Viewers need the disks now. */
  isBusy: () => boolean;
  records: ScrubRecords;
  clock: Clock;
  chance: Chance;
  log: Log;
}

const Place = Type.Object({ file: FileName, chunk: Type.Integer({ minimum: 0 }) });
type Place = Static<typeof Place>;

/** Of so many bytes that leave, one chunk is looked at again. */
const sampleEveryBytes = 2 ** 30;
const samplesMax = 64;
const waitMsMax = 10_000;
const saveEveryMs = 60_000;
/** First the box has to serve. */
const startAfterMs = 5000;
/** Files whose names begin alike are put in order together: all of a box at each of its files would be too much, and once for all too long. */
const alikeDigits = 2;

/**
 * Reads what is held again, file by file in the order of their names, and chunks of what has just been served: rot is found
 * before viewers meet it twice. A bad chunk takes its file out of the holdings; the fill brings back what is wrong of it.
 */
export class Scrubber {
  readonly #options: ScrubberOptions;
  readonly #samples: Place[] = [];
  #allowance: ScrubAllowance;
  #sentBytes = 0;
  #at: Place | undefined;
  /** The next files, by name. */
  #upcoming: string[] = [];
  #savedAtMs = -Infinity;

  constructor(options: ScrubberOptions) {
    this.#options = options;
    this.#allowance = { bytes: 0, atMs: options.clock.monotonicMs() };
  }

  /** Bytes of a file have left: now and then some of them are looked at. */
  noteSent(file: string, bytes: number): void {
    const { store, chance } = this.#options;
    this.#sentBytes += bytes;
    if (this.#sentBytes < sampleEveryBytes || this.#samples.length >= samplesMax) return;
    this.#sentBytes = 0;
    const count = chunkCount(store.held.get(file)?.sizeBytes ?? 0);
    if (count > 0) this.#samples.push({ file, chunk: Math.floor(chance.fraction() * count) });
  }

  /** Finds how far an earlier process came. */
  async open(): Promise<void> {
    const { path, log } = this.#options;
    const text = await readIfPresent(path);
    if (text === undefined) return;
    try {
      this.#at = parseJsonAs(Place, text.toString('utf8'), { what: path });
    } catch (error) {
      log.warn({ err: error }, 'how far the scrub was cannot be read; it begins anew');
    }
  }

  /** Works until the signal ends it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, isBusy } = this.#options;
    await clock.sleep(startAfterMs, { signal }).catch(() => undefined);
    while (!signal.aborted) {
      const waitMs = isBusy() ? waitMsMax : await this.#step();
      await clock.sleep(Math.min(waitMsMax, waitMs), { signal }).catch(() => undefined);
    }
    await this.#save();
  }

  /** Looks at one chunk, if it is time. @returns in how many milliseconds the next is. */
  async #step(): Promise<number> {
    const sample = this.#samples.shift();
    if (sample !== undefined) {
      await this.#check(sample, 'sample');
      return 0;
    }
    const { store, clock, budgetBytes } = this.#options;
    const { usedBytes: heldBytes } = await store.usage();
    this.#allowance = earnScrub(this.#allowance, { atMs: clock.monotonicMs(), heldBytes, budgetBytes });
    const place = this.#next();
    if (place === undefined) return waitMsMax;
    const bytes = chunkLengthBytes(store.held.get(place.file)?.sizeBytes ?? 0, place.chunk);
    const waitMs = scrubWaitMs(this.#allowance, { bytes, heldBytes, budgetBytes });
    if (waitMs > 0) return waitMs;
    this.#allowance = { ...this.#allowance, bytes: this.#allowance.bytes - bytes };
    this.#at = { ...place, chunk: place.chunk + 1 };
    await this.#check(place, 'scrub');
    if (clock.monotonicMs() - this.#savedAtMs > saveEveryMs) await this.#save();
    return 0;
  }

  /** The chunk after the last one; after the last file comes the first. */
  #next(): Place | undefined {
    const { held } = this.#options.store;
    const { file = '', chunk = 0 } = this.#at ?? {};
    const sizeBytes = held.get(file)?.sizeBytes;
    if (sizeBytes !== undefined && chunk < chunkCount(sizeBytes)) return { file, chunk };
    const isThere = (each: string): boolean => (held.get(each)?.sizeBytes ?? 0) > 0;
    for (;;) {
      const next = this.#upcoming[0];
      if (next === undefined) break;
      if (next > file && isThere(next)) return { file: next, chunk: 0 };
      this.#upcoming.shift();
    }
    this.#upcoming = this.#after(file) ?? this.#after('') ?? [];
    const [found] = this.#upcoming;
    return found === undefined ? undefined : { file: found, chunk: 0 };
  }

  /** The next files after one that begin alike, by name; undefined where it is the last. */
  #after(file: string): string[] | undefined {
    const { held } = this.#options.store;
    let least: string | undefined;
    for (const [each, { sizeBytes }] of held)
      if (sizeBytes > 0 && each > file && (least === undefined || each < least)) least = each;
    const start = least?.slice(0, alikeDigits);
    if (start === undefined) return undefined;
    const alike = (each: string): boolean => each > file && each.startsWith(start);
    return [...held].flatMap(([each, { sizeBytes }]) => (sizeBytes > 0 && alike(each) ? each : [])).sort();
  }

  async #check({ file, chunk }: Place, why: 'scrub' | 'sample'): Promise<void> {
    const { store, records, log } = this.#options;
    const by: ReadBy = why === 'scrub' ? 'disk' : 'cache';
    try {
      const outcome = await store.check(file, chunk, by);
      if (outcome !== 'gone') records.chunk(why, outcome);
      if (outcome === 'bad')
        log.error({ file, chunk, code: 'FILE_CORRUPT' }, 'a chunk is not what it was; it is fetched again');
    } catch (error) {
      log.warn({ err: error, file, chunk }, 'a chunk could not be looked at');
    }
  }

  async #save(): Promise<void> {
    const { path, clock, log } = this.#options;
    this.#savedAtMs = clock.monotonicMs();
    if (this.#at === undefined) return;
    await replaceFile(path, JSON.stringify(this.#at)).catch((error: unknown) => {
      log.warn({ err: error }, 'how far the scrub is could not be kept');
    });
  }
}

/** Scrubs for as long as the process lives. */
export function scrubComponent(scrubber: Scrubber): Component {
  let done: Promise<void> | undefined;
  return {
    name: 'scrub',
    async start({ signal, crash }) {
      await scrubber.open();
      done = scrubber.run(signal).catch(crash);
    },
    async stop() {
      await done;
    },
  };
}
