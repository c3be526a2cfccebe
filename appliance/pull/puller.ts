import { LRUCache } from 'lru-cache';

import type { ProblemCode } from '../../common/contract/problem.ts';
import { describedSizeBytes } from '../../common/core/chunk-tree.ts';
import { SingleFlight } from '../../common/core/single-flight.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { assert, coded, isCoded, toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { ChunkRun } from '../core/chunk-map.ts';
import type { Room } from '../fill/room.ts';
import { Wakeup } from '../fill/wakeup.ts';
import type { PullAnswer, PullLink, PullRequest, PullRun } from './pull-link.ts';
import type { PullRecords } from './pull-records.ts';
import { PulledFile, runLengthMax } from './pulled-file.ts';
import type { SharedPartial } from './shared-partial.ts';
import type { SharedStore } from './shared-store.ts';
import type { Upstream } from './upstream.ts';

export interface PullerOptions {
  /** `fetch`: it comes here; `redirect`: the viewer is sent to who has it, and only bundles come. */
  mode: 'fetch' | 'redirect';
  store: SharedStore;
  room: Room;
  upstream: Upstream;
  records: PullRecords;
  clock: Clock;
  log: Log;
}

/** Files that are open for pulling; each takes two descriptors. */
const filesMax = 512;
/** Names of files that found no room. */
const refusedMax = 8192;
/** A file that nobody asked for in this time may go. */
const idleMs = 10_000;
const tickMs = 1000;
/** For so long nothing new begins on a disk that turned out to be full. */
const fullRestMs = 60_000;
/** A file that could not be completed is left alone for so long. */
const completeRestMs = 60_000;

/**
 * Gets what viewers ask for and the box does not hold. What the manifest wants has the first claim on the room: a pulled
 * file takes only what is left, and only one that a second session asks for may drive out what others had pulled.
 */
export class Puller implements PullLink {
  readonly #options: PullerOptions;
  readonly #files = new Map<string, PulledFile>();
  readonly #openings = new SingleFlight<PulledFile | undefined>();
  readonly #refused = new LRUCache<string, { session: string | undefined; costBytes: number }>({
    max: refusedMax,
  });
  readonly #ending = new AbortController();
  readonly #wakeup: Wakeup;
  #fullUntilMs = 0;

  constructor(options: PullerOptions) {
    const { store, clock, mode } = options;
    this.#options = options;
    this.#wakeup = new Wakeup(clock);
    store.keep((file) => !this.#isPlanned(file) && (mode === 'fetch' || this.#files.has(file)));
    store.onChange(({ file, kind }) => {
      if (kind === 'added') this.#files.delete(file);
    });
  }

  /** Files that are here in part. */
  get count(): number {
    return this.#files.size;
  }

  async open(request: PullRequest): Promise<PullAnswer> {
    const answer = await this.#answer(request);
    if (answer.kind !== 'held') this.#options.records.miss(outcomeOf[answer.kind]);
    return answer;
  }

  async fetch({ file, first, last }: PullRun): Promise<void> {
    const { store, records, clock } = this.#options;
    const pulled = this.#files.get(file);
    if (pulled === undefined) {
      if (store.held.has(file)) return;
      throw coded('FILE_UNKNOWN', 'it was given up');
    }
    pulled.usedAtMs = clock.monotonicMs();
    try {
      records.chunk(await this.#need(pulled, { first, last }));
    } catch (error) {
      records.chunk('failed');
      throw isCoded(error, 'ABORTED')
        ? coded('FILE_UNKNOWN', { detail: 'it was given up', cause: error })
        : error;
    }
  }

  mistrust(file: string, index: number): Promise<void> {
    const { log } = this.#options;
    log.error(
      { file, chunk: index, code: 'FILE_CORRUPT' },
      'a chunk changed on the disk; it is fetched anew',
    );
    this.#files.get(file)?.partial.chunks.remove(index);
    return Promise.resolve();
  }

  /** Bytes of a file have left. */
  noteSent(file: string, bytes: number): void {
    const pulled = this.#files.get(file);
    if (pulled === undefined) return;
    pulled.sentBytes += bytes;
    pulled.usedAtMs = this.#options.clock.monotonicMs();
    if (pulled.isPopular) this.#wakeup.notify();
  }

  /** Completes what is popular until the signal ends it; what is here in part can then be resumed. */
  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    signal.addEventListener('abort', () => {
      this.#ending.abort();
    });
    while (!signal.aborted) {
      try {
        await this.#adoptStrays();
      } catch (error) {
        log.warn({ err: error }, 'what is here in part could not be looked after');
      }
      const popular = this.#nextPopular();
      if (popular === undefined) await this.#wakeup.wait(tickMs, signal);
      else await this.#complete(popular);
    }
  }

  async #answer(request: PullRequest): Promise<PullAnswer> {
    const { store, mode, clock, log } = this.#options;
    const { file, ext, session } = request;
    if (store.held.has(file)) return { kind: 'held' };
    // Without its bundle a token cannot be judged, whatever becomes of the file.
    if (mode === 'redirect' && session !== undefined) return this.#elsewhere(file);
    try {
      const pulled = this.#openOne(file) ?? (await this.#openings.run(file, () => this.#open(request)));
      if (pulled?.partial.isOpen === true) {
        pulled.use({ ext, nowMs: clock.monotonicMs() });
        const { paths, chunks } = pulled.partial;
        return { kind: 'partial', ...paths, bits: Buffer.from(chunks.bits).toString('base64') };
      }
      // On its way to be held, it is neither here nor there: the end of that is waited for.
      if (pulled !== undefined) await store.publish(pulled.partial);
      if (store.held.has(file)) return { kind: 'held' };
    } catch (error) {
      log.debug({ err: error, file }, 'a file that is not held could not be opened');
      if (isCoded(error, 'FILE_UNKNOWN')) return { kind: 'unknown' };
      if (!isCoded(error)) throw error;
    }
    return this.#elsewhere(file);
  }

  async #elsewhere(file: string): Promise<PullAnswer> {
    const [way] = await this.#options.upstream.waysOf(file, this.#ending.signal);
    const base = way === undefined ? undefined : /^(https?:\/\/.*)\/v1\/[^/]+\/$/.exec(way.base)?.[1];
    return base === undefined ? { kind: 'unknown' } : { kind: 'elsewhere', base };
  }

  #isPlanned(file: string): boolean {
    return this.#options.room.wants(file);
  }

  /** A file that is open, unless somebody gave it up. */
  #openOne(file: string): PulledFile | undefined {
    const pulled = this.#files.get(file);
    if (pulled === undefined) return undefined;
    const { isGone, isOpen } = pulled.partial;
    // Given up, or taken along by its disk.
    if (!isGone && (!isOpen || this.#options.store.partial.has(file))) return pulled;
    this.#forget(file);
    return undefined;
  }

  /** Opens what an earlier time left, or begins; undefined where there is no room, or it came to be held. */
  async #open({ file, session }: PullRequest): Promise<PulledFile | undefined> {
    const { store, upstream, room, clock } = this.#options;
    const known = await store.resume(file);
    if (known !== undefined) return this.#begun(known);
    const before = this.#refused.get(file);
    const mayEvict = session === undefined || (before !== undefined && before.session !== session);
    if (!this.#isPlanned(file)) {
      if (clock.monotonicMs() < this.#fullUntilMs) return undefined;
      if (before !== undefined && !(await room.takes({ ...before, mayEvict }))) return undefined;
    }
    const descriptor = await upstream.descriptor(file, this.#ending.signal);
    const costBytes = store.costBytes(describedSizeBytes(descriptor) ?? 0);
    const begin = async (disk?: number): Promise<PulledFile | undefined> => {
      if (!(await this.#hasPlace())) return undefined;
      return this.#begun(
        await store.begin(file, descriptor, disk).catch((error: unknown) => this.#metFull(error)),
      );
    };
    const pulled = this.#isPlanned(file)
      ? await room.forPlanned({ disk: undefined, costBytes }, begin)
      : await room.forPulled({ costBytes, mayEvict }, begin);
    if (pulled === undefined) this.#refused.set(file, { session, costBytes });
    return pulled;
  }

  /** One of no bytes is whole from the start, and one that an earlier process had no time to publish. */
  async #begun(partial: SharedPartial): Promise<PulledFile> {
    const pulled = this.#adopt(partial);
    if (partial.isWhole()) await this.#publish(pulled);
    return pulled;
  }

  #adopt(partial: SharedPartial): PulledFile {
    const { room, clock } = this.#options;
    const { file, tree } = partial;
    const known = this.#files.get(file);
    if (known?.partial === partial) return known;
    const pulled = new PulledFile(partial, { nowMs: clock.monotonicMs() });
    this.#files.set(file, pulled);
    room.lend({
      ...{ file, sizeBytes: tree.sizeBytes },
      mayGo: () => this.#isIdle(pulled),
      drop: () => this.#giveUp(file),
    });
    return pulled;
  }

  /** Makes a place for one more; false where all that are open are in use. */
  async #hasPlace(): Promise<boolean> {
    if (this.#files.size < filesMax) return true;
    const idle = [...this.#files.values()].filter((pulled) => this.#isIdle(pulled));
    const [oldest] = idle.sort((a, b) => a.usedAtMs - b.usedAtMs);
    if (oldest !== undefined) await this.#giveUp(oldest.file);
    return oldest !== undefined;
  }

  #isIdle({ file, usedAtMs }: PulledFile): boolean {
    return usedAtMs < this.#options.clock.monotonicMs() - idleMs && !this.#isPlanned(file);
  }

  #forget(file: string): void {
    this.#files.delete(file);
    this.#options.room.takeBack(file);
  }

  async #giveUp(file: string): Promise<void> {
    this.#forget(file);
    await this.#options.store.drop(file);
  }

  async #need(pulled: PulledFile, run: ChunkRun): Promise<'here' | 'joined' | 'fetched'> {
    return pulled.need(run, async (part, came) => {
      const { upstream, room } = this.#options;
      const { partial, ext } = pulled;
      // The manifest wants more than before, or something else filled the disk.
      if (!this.#isPlanned(pulled.file) && (await room.isShort())) {
        await this.#giveUp(pulled.file);
        throw coded('OVERLOADED', 'its room is needed for something else');
      }
      await upstream
        .chunks({ partial, ext, run: part, came }, this.#ending.signal)
        .catch((error: unknown) => this.#metFull(error, pulled));
      if (partial.isWhole()) await this.#publish(pulled);
    });
  }

  /** A disk that turns out to be full, or fails: nothing half-written stays on it, and viewers are sent elsewhere for a while. */
  async #metFull(error: unknown, pulled?: PulledFile): Promise<never> {
    const { code } = toCoded(error);
    if (notOfTheDisk.has(code)) throw error;
    const { clock, log } = this.#options;
    log.warn({ code, err: error }, 'what viewers ask for cannot be stored');
    this.#fullUntilMs = clock.monotonicMs() + fullRestMs;
    if (pulled !== undefined && !this.#isPlanned(pulled.file)) await this.#giveUp(pulled.file);
    throw coded('OVERLOADED', { detail: 'there is no room for it', cause: error });
  }

  async #publish(pulled: PulledFile): Promise<void> {
    const { store, log } = this.#options;
    const { file, partial } = pulled;
    try {
      await store.publish(partial);
      log.info({ file, sizeBytes: partial.tree.sizeBytes }, 'a file that viewers asked for is held');
    } catch (error) {
      log.warn({ err: error, file }, 'a file that viewers asked for could not be held');
      await this.#giveUp(file).catch(() => undefined);
    }
  }

  #nextPopular(): PulledFile | undefined {
    const nowMs = this.#options.clock.monotonicMs();
    return this.#files
      .values()
      .find((pulled) => pulled.isPopular && pulled.restUntilMs <= nowMs && !this.#isPlanned(pulled.file));
  }

  /** Fetches the next of what is missing, one request at a time on the whole box: viewers go first. */
  async #complete(pulled: PulledFile): Promise<void> {
    const gap = pulled.partial.chunks.nextGap({ lengthMax: runLengthMax, taken: () => false });
    assert(gap !== undefined, 'a file that is popular lacks something');
    try {
      for (let first = gap.first; first <= gap.last; first++)
        await this.#need(pulled, { first, last: gap.last });
    } catch (error) {
      this.#options.log.debug({ err: error, file: pulled.file }, 'a popular file could not be completed');
      pulled.restUntilMs = this.#options.clock.monotonicMs() + completeRestMs;
    }
  }

  /** Downloads that nobody works on any more, and those of an earlier process. */
  async #adoptStrays(): Promise<void> {
    const { store, mode } = this.#options;
    if (mode !== 'fetch') return;
    for (const file of [...store.partial]) {
      if (this.#ending.signal.aborted) return;
      if (this.#isPlanned(file) || this.#files.has(file)) continue;
      const partial = await store.resume(file);
      if (partial !== undefined) await this.#begun(partial);
    }
  }
}

const notOfTheDisk: ReadonlySet<ProblemCode> = new Set([
  'ABORTED',
  'FILE_CORRUPT',
  'FILE_UNKNOWN',
  'INTERNAL',
  'OVERLOADED',
]);
const outcomeOf = { partial: 'pulled', elsewhere: 'redirected', unknown: 'refused' } as const;
