import type { FillManifest } from '../../common/contract/documents.ts';
import type { FillOutcome, FillSourcesReply } from '../../common/contract/fill.ts';
import type { ProblemCode } from '../../common/contract/problem.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { isCoded, toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { planFill, type FillDiff, type WantedFile } from '../core/fill-diff.ts';
import type { FillRecords } from '../metrics.ts';
import type { FileStore } from '../store/file-store.ts';
import { FillCrew } from './fill-crew.ts';
import { FillHours } from './fill-hours.ts';
import { FillOutcomes } from './fill-outcomes.ts';
import { JobQueue } from './job-queue.ts';
import type { Pacer } from './pacer.ts';
import type { Room } from './room.ts';
import { SourceBook } from './source-book.ts';
import type { SourceClient } from './source-client.ts';
import { Wakeup } from './wakeup.ts';
import { WayFinder } from './way-finder.ts';

export interface FillerOptions {
  store: FileStore;
  room: Room;
  sources: SourceClient;
  pacer: Pacer;
  /** Asks the control plane where files may be fetched from. */
  askSources: (files: string[], signal: AbortSignal) => Promise<FillSourcesReply>;
  /** Takes what became of a file. */
  report: (manifestSequence: number, outcome: FillOutcome) => void;
  records: FillRecords;
  clock: Clock;
  chance: Chance;
  log: Log;
  /** Transfers at a time. */
  concurrency: number;
  /** The box's own cap; the manifest's counts too, the lower one wins. */
  capBytesPerSecond: number | undefined;
}

interface Manifest {
  readonly sequence: number;
  readonly body: FillManifest;
}

const idleWaitMs = 1000;
const replanMs = 60_000;
/** A file of which bytes left so lately is popular. */
const popularWithinMs = 86_400_000;

/**
 * Makes the holdings what the manifest says: compares, fetches in the manifest's order from several sources at
 * once, peer before tier before origin, and publishes what is whole. Room is made when a file begins. What fails is reported, rests and is tried
 * again. Out of the manifest's window only urgent files are fetched, and what viewers lost; what is under way when it closes
 * ends with the chunk in progress and goes on in the next one.
 */
export class Filler {
  readonly #options: FillerOptions;
  readonly #wakeup: Wakeup;
  readonly #hours: FillHours;
  readonly #jobs: JobQueue;
  readonly #outcomes: FillOutcomes;
  readonly #ways: WayFinder;
  readonly #crew: FillCrew;
  #manifest: Manifest | undefined;
  #replanWanted = false;
  #replanAtMs = Infinity;
  /** Wanted files that do not fit, and those that wait for their window without a job. */
  #leftFiles = 0;
  #waitingFiles = 0;
  #diskReason: ProblemCode | undefined;
  /** Files that were being watched when they got lost. */
  readonly #missed = new Set<string>();

  constructor(options: FillerOptions) {
    this.#options = options;
    const { store, clock } = options;
    const wakeup = (this.#wakeup = new Wakeup(clock));
    const book = new SourceBook(clock);
    this.#hours = new FillHours(options);
    const jobs = (this.#jobs = new JobQueue({ store, clock, isDue: (file) => this.#isDue(file) }));
    const outcomes = (this.#outcomes = new FillOutcomes(options));
    const parts = { ...options, jobs, book, wakeup, outcomes };
    const ways = (this.#ways = new WayFinder({
      ...parts,
      onNone: (job) => {
        outcomes.givenUp(job);
      },
    }));
    this.#crew = new FillCrew({
      ...{ ...parts, ways },
      onTrouble: (failure) => {
        if (!isCoded(failure, 'DISK_FULL', 'STORE_UNAVAILABLE')) return;
        this.#diskReason = failure.code;
        this.#replanAtMs = clock.monotonicMs() + replanMs;
      },
    });
    store.onChange(({ kind, file, lastSentMs = -Infinity }) => {
      if (kind === 'removed') {
        if (clock.monotonicMs() - lastSentMs < popularWithinMs) this.#missed.add(file);
        // A wanted file that got lost is wanted again.
        this.planAgain();
      } else if (kind === 'added') {
        this.#missed.delete(file);
        // Viewers may have had it fetched before its turn came.
        this.#jobs.arrived(file);
      }
    });
  }

  /** Files that the manifest wants and that are not held. */
  get missingFiles(): number {
    return this.#jobs.size + this.#leftFiles + this.#waitingFiles;
  }

  /** Problem codes of what keeps the box from being filled. */
  reasons(): ProblemCode[] {
    const codes = this.#jobs.reasons();
    if (this.#diskReason !== undefined) codes.add(this.#diskReason);
    if (this.#leftFiles > 0) codes.add('FILL_NO_SPACE');
    return [...codes];
  }

  /** Takes a verified manifest; what is in flight and still wanted goes on. */
  setManifest(sequence: number, body: FillManifest): void {
    this.#manifest = { sequence, body };
    this.#options.room.setPlanned(body.files);
    this.#outcomes.begin(sequence);
    this.#hours.set(body);
    const caps = [this.#options.capBytesPerSecond, body.capBytesPerSecond].filter((cap) => cap !== undefined);
    this.#options.pacer.setRate(caps.length === 0 ? undefined : Math.min(...caps));
    this.#options.pacer.setLinks(body.links ?? []);
    this.planAgain();
  }

  /** Works until the signal ends it; downloads under way can then be resumed. */
  async run(signal: AbortSignal): Promise<void> {
    const onHours = (): void => {
      this.#jobs.pause();
      this.planAgain();
    };
    await Promise.all([
      this.#plan(signal),
      this.#hours.watch(onHours, signal),
      this.#ways.run(signal),
      this.#crew.run(signal),
    ]);
  }

  #isDue(file: WantedFile): boolean {
    return file.urgent === true || this.#hours.areOpen;
  }

  /** Plans anew: what is held, or what fits where, has changed. */
  planAgain(): void {
    this.#replanWanted = true;
    this.#wakeup.notify();
  }

  async #plan(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      const isDue = this.#replanWanted || clock.monotonicMs() >= this.#replanAtMs;
      if (!isDue || this.#manifest === undefined) {
        await this.#wakeup.wait(idleWaitMs, signal);
        continue;
      }
      this.#replanWanted = false;
      this.#replanAtMs = Infinity;
      try {
        await this.#replan(this.#manifest);
      } catch (error) {
        log.warn({ err: error }, 'the fill could not be planned');
        this.#diskReason = toCoded(error).code;
        this.#replanAtMs = clock.monotonicMs() + replanMs;
      }
      this.#wakeup.notify();
    }
  }

  async #replan({ sequence, body }: Manifest): Promise<void> {
    const { store, room, clock, log } = this.#options;
    const diff = await this.#compare(this.#hurried(body.files));
    const kept = new Set(body.files.map(({ file }) => file));
    for (const { file } of diff.left) kept.delete(file);
    await this.#jobs.keepOnly((file) => kept.has(file));
    for (const file of diff.remove) await store.remove(file);
    await room.forMoves(diff.move);
    for (const { file, disk } of diff.move) store.move(file, disk);
    this.#leftFiles = diff.left.length;
    for (const left of diff.left) this.#outcomes.left(left);
    if (diff.left.length > 0) this.#replanAtMs = clock.monotonicMs() + replanMs;
    this.#diskReason = undefined;
    this.#jobs.arrange(diff.fetch.toSorted(urgentFirst));
    if (diff.fetch.length + diff.left.length === 0) return;
    const evictBytes = diff.evictBytes.values().reduce((sum, bytes) => sum + bytes, 0);
    log.info({ sequence, fetch: diff.fetch.length, evictBytes, left: diff.left.length }, 'fill planned');
  }

  /** What was being watched when it got lost is as urgent as what the manifest says is. */
  #hurried(files: readonly WantedFile[]): WantedFile[] {
    const wanted = new Set(files.map(({ file }) => file));
    for (const file of this.#missed) if (!wanted.has(file)) this.#missed.delete(file);
    return files.map((item) => (this.#missed.has(item.file) ? { ...item, urgent: true } : item));
  }

  /** What is to be done now: what must wait for its window is neither fetched nor makes others go. */
  async #compare(files: readonly WantedFile[]): Promise<FillDiff> {
    const { store } = this.#options;
    const disks = await store.rooms();
    const held = new Map(
      store.held.entries().map(([file, info]) => [file, { ...info, inUse: store.inUse(file) }]),
    );
    const now = files.filter((item) => held.has(item.file) || this.#isDue(item) || this.#jobs.has(item.file));
    this.#waitingFiles = files.length - now.length;
    return planFill({
      ...{ wanted: now, held, disks },
      begunOn: (file) => store.begunOn(file),
      costBytes: (sizeBytes) => store.costBytes(sizeBytes),
    });
  }
}

function urgentFirst(a: WantedFile, b: WantedFile): number {
  return Number(b.urgent === true) - Number(a.urgent === true);
}
