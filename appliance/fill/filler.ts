import type { FillManifest } from '../../common/contract/documents.ts';
import type { FillOutcome, FillSourcesReply } from '../../common/contract/fill.ts';
import type { ProblemCode } from '../../common/contract/problem.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded, isCoded, toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { chooseWay, type FillWay } from '../core/choose-way.ts';
import { planFill } from '../core/fill-diff.ts';
import type { FillRecords } from '../metrics.ts';
import type { FileStore } from '../store/file-store.ts';
import { FillJob, type JobStep } from './fill-job.ts';
import { JobQueue } from './job-queue.ts';
import type { Pacer } from './pacer.ts';
import { SourceBook } from './source-book.ts';
import { SourceError, type SourceClient } from './source-client.ts';
import { isOver, Wakeup } from './wakeup.ts';

export interface FillerOptions {
  store: FileStore;
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

/** How many chunks one request asks for: few enough that a failing source costs little, enough to keep the pipe full. */
const runLengthMax = 8;
const waysAgeMsMax = 300_000;
const waysAgeMsMin = 1000;
const failedTriesMax = 8;
/** Times that new ways are asked for before a file is given up. */
const roundsMax = 2;
/** A wait above this is worth a report. */
const longWaitMs = 10_000;
const giveUpRestMs = 5000;
const restMsMax = 300_000;
const idleWaitMs = 1000;
const replanMs = 60_000;

/**
 * Makes the holdings what the manifest says: compares, makes room, fetches in the manifest's order from several sources at
 * once, peer before tier before origin, and publishes what is whole. What fails is reported, rests and is tried again.
 */
export class Filler {
  readonly #options: FillerOptions;
  readonly #book: SourceBook;
  readonly #wakeup: Wakeup;
  readonly #jobs: JobQueue;
  #manifest: { sequence: number; body: FillManifest } | undefined;
  #replanWanted = false;
  #replanAtMs = Infinity;
  #leftFiles = 0;
  #diskReason: ProblemCode | undefined;
  readonly #leftReported = new Set<string>();

  constructor(options: FillerOptions) {
    this.#options = options;
    this.#book = new SourceBook(options.clock);
    this.#wakeup = new Wakeup(options.clock);
    this.#jobs = new JobQueue(options);
    options.store.onChange((change) => {
      // A wanted file that got lost is wanted again.
      if (change.kind === 'removed') this.#wantReplan();
    });
  }

  /** Files that the manifest wants and that are not held. */
  get missingFiles(): number {
    return this.#jobs.size + this.#leftFiles;
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
    this.#leftReported.clear();
    const caps = [this.#options.capBytesPerSecond, body.capBytesPerSecond].filter((cap) => cap !== undefined);
    this.#options.pacer.setRate(caps.length === 0 ? undefined : Math.min(...caps));
    this.#wantReplan();
  }

  /** Works until the signal ends it; downloads under way can then be resumed. */
  async run(signal: AbortSignal): Promise<void> {
    const workers = Array.from({ length: this.#options.concurrency }, () => this.#work(signal));
    await Promise.all([this.#plan(signal), this.#findWays(signal), ...workers]);
  }

  #wantReplan(): void {
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

  async #replan(manifest: { sequence: number; body: FillManifest }): Promise<void> {
    const { store, clock, log } = this.#options;
    const { capacityBytes } = await store.usage();
    const held = new Map(
      store.held
        .entries()
        .map(([file, { sizeBytes }]) => [
          file,
          { sizeBytes, inUse: store.inUse(file), lastServedMs: store.lastServedMs(file) },
        ]),
    );
    const costBytes = (sizeBytes: number): number => store.costBytes(sizeBytes);
    const diff = planFill({ wanted: manifest.body.files, held, capacityBytes, costBytes });
    const fetch = new Map(diff.fetch.map((wanted) => [wanted.file, wanted]));
    await this.#jobs.keepOnly(fetch);
    for (const file of diff.remove) await store.remove(file);
    this.#leftFiles = diff.left.length;
    for (const wanted of diff.left) this.#reportLeft(manifest.sequence, wanted);
    if (diff.left.length > 0) this.#replanAtMs = clock.monotonicMs() + replanMs;
    this.#diskReason = undefined;
    this.#jobs.arrange(fetch);
    if (diff.fetch.length + diff.remove.length + diff.left.length > 0) {
      const { length: removed } = diff.remove;
      log.info(
        { sequence: manifest.sequence, fetch: fetch.size, removed, left: diff.left.length },
        'fill planned',
      );
    }
  }

  #reportLeft(sequence: number, { file, sizeBytes }: { file: string; sizeBytes: number }): void {
    if (this.#leftReported.has(file)) return;
    this.#leftReported.add(file);
    const job = new FillJob({ file, ext: '', sizeBytes }, 0);
    job.lastFailure = {
      code: 'FILL_NO_SPACE',
      detail: `${sizeBytes} bytes do not fit beside what else is wanted`,
    };
    this.#options.report(sequence, job.outcome('failed', this.#options.clock.nowMs()));
    this.#options.records.file('failed');
  }

  /** Asks for ways where they are missing, used up, not open yet or old, many files at a time. */
  async #findWays(signal: AbortSignal): Promise<void> {
    const { askSources, clock, chance, log } = this.#options;
    while (!signal.aborted) {
      const jobs = [...this.#jobs.window()].filter((job) => this.#needsWays(job));
      if (jobs.length === 0) {
        await this.#wakeup.wait(idleWaitMs, signal);
        continue;
      }
      try {
        const { sources } = await askSources(
          jobs.map((job) => job.file),
          signal,
        );
        const waysOf = new Map(sources.map(({ file, ways }) => [file, ways]));
        for (const job of jobs) this.#giveWays(job, waysOf.get(job.file) ?? []);
        this.#wakeup.notify();
      } catch (error) {
        if (isOver(signal)) return;
        log.debug({ err: error }, 'no sources: the control plane does not answer');
        await clock.sleep(idleWaitMs * (1 + 2 * chance.fraction()), { signal }).catch(() => undefined);
      }
    }
  }

  #needsWays(job: FillJob): boolean {
    if (job.partial?.isWhole() === true) return false;
    const ageMs = this.#options.clock.monotonicMs() - job.waysAtMs;
    if (job.ways === undefined || ageMs > waysAgeMsMax) return true;
    // While the origin's turn has not come, a peer may have got the file.
    return ageMs > waysAgeMsMin && this.#choose(job).kind !== 'way';
  }

  #giveWays(job: FillJob, ways: readonly FillWay[]): void {
    const isWaiting = job.ways !== undefined && this.#choose(job).kind === 'wait';
    job.ways = ways;
    job.waysAtMs = this.#options.clock.monotonicMs();
    if (!isWaiting) {
      job.rounds++;
      job.spent.clear();
    }
    if (ways.length > 0 || job.inFlight > 0) return;
    job.lastFailure = { code: 'FILL_NO_SOURCE', detail: 'the control plane knows of no source' };
    this.#giveUp(job);
  }

  #choose(job: FillJob) {
    return chooseWay({
      ways: job.ways ?? [],
      wantedSinceMs: job.wantedSinceMs,
      nowMs: this.#options.clock.monotonicMs(),
      spent: job.spent,
      stateOf: (node) => this.#book.stateOf(node),
    });
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const next = this.#next();
      if (next.kind === 'wait') {
        await this.#wakeup.wait(next.waitMs, signal);
        continue;
      }
      const { job, step } = next;
      const giveBack = job.take(step);
      const either = AbortSignal.any([signal, job.abort.signal]);
      try {
        await this.#do({ job, step, way: next.way, signal: either });
      } catch (error) {
        if (!either.aborted) await this.#met(job, error);
      } finally {
        giveBack();
        this.#wakeup.notify();
      }
    }
  }

  #next():
    | { kind: 'task'; job: FillJob; step: JobStep; way: FillWay | undefined }
    | { kind: 'wait'; waitMs: number } {
    let waitMs = idleWaitMs;
    for (const job of this.#jobs.window()) {
      const step = job.nextStep(runLengthMax);
      if (step === undefined) continue;
      const isLocal =
        step.kind === 'publish' || (step.kind === 'open' && this.#options.store.partial.has(job.file));
      if (isLocal) return { kind: 'task', job, step, way: undefined };
      const choice = this.#choose(job);
      if (choice.kind === 'way') return { kind: 'task', job, step, way: choice.way };
      if (choice.kind === 'wait') waitMs = Math.min(waitMs, choice.waitMs);
      this.#considerGivingUp(job, choice);
    }
    return { kind: 'wait', waitMs: Math.max(1, waitMs) };
  }

  /** No way is open: other ways may be had for the asking; if not, people should hear of it. */
  #considerGivingUp(job: FillJob, choice: { kind: 'none' } | { kind: 'wait'; waitMs: number }): void {
    if (job.ways === undefined || job.inFlight > 0) return;
    if (choice.kind === 'wait' && choice.waitMs < longWaitMs) return;
    if (choice.kind === 'none' && job.rounds < roundsMax) job.ways = undefined;
    else if (job.hasUnreportedFailure) this.#giveUp(job);
  }

  async #do(task: {
    job: FillJob;
    step: JobStep;
    way: FillWay | undefined;
    signal: AbortSignal;
  }): Promise<void> {
    const { job, step, way, signal } = task;
    const { store, clock, sources } = this.#options;
    job.startedAtMs ??= clock.nowMs();
    if (step.kind === 'publish') return this.#publish(job);
    if (way === undefined) {
      job.partial = await store.resume(job.file);
      await this.#dropUnwanted(job);
      return;
    }
    this.#book.begin(way.node);
    try {
      if (step.kind === 'open') await this.#begin(job, way, signal);
      else {
        const { partial, ext } = job;
        if (partial === undefined) return;
        const onChunk = (bytes: number): void => {
          job.count(way, bytes);
          this.#options.records.chunk('verified');
          this.#options.records.received(way.kind, bytes);
        };
        await sources.chunks({ base: way.base, ext, partial, run: step.run, onChunk }, signal);
      }
      this.#book.end(way.node, 'good');
    } catch (error) {
      // Our own failures and aborts say nothing about the source.
      this.#book.end(way.node, error instanceof SourceError ? error.failure : 'unknown');
      if (error instanceof SourceError) this.#blame(job, way, error);
      else throw error;
    }
  }

  async #begin(job: FillJob, way: FillWay, signal: AbortSignal): Promise<void> {
    const { store, sources } = this.#options;
    const { file, wanted } = job;
    const { descriptor, sizeBytes } = await sources.descriptor({ ...wanted, base: way.base }, signal);
    signal.throwIfAborted();
    // The chunk list is proven by the name, so it is the manifest that is wrong: what was planned would not fit.
    if (sizeBytes !== wanted.sizeBytes) {
      throw coded('FILE_CORRUPT', `the manifest says ${wanted.sizeBytes} bytes, the file has ${sizeBytes}`);
    }
    job.partial = await store.begin(file, descriptor);
    await this.#dropUnwanted(job);
  }

  /** What is no longer wanted since its opening began: whoever dropped it found nothing yet to discard. */
  async #dropUnwanted({ abort, file }: FillJob): Promise<void> {
    if (abort.signal.aborted) await this.#options.store.discard(file);
  }

  async #publish(job: FillJob): Promise<void> {
    const { store, report, records, clock, log } = this.#options;
    if (job.partial === undefined) return;
    await store.publish(job.partial);
    this.#jobs.remove(job);
    const outcome = job.outcome('held', clock.nowMs());
    report(this.#manifest?.sequence ?? 0, outcome);
    records.file('held');
    log.info(
      { file: job.file, sizeBytes: outcome.sizeBytes, bytesBySource: outcome.bytesBySource },
      'file filled',
    );
  }

  /** A source failed a job: it is left out, or rests, and another way is taken. */
  #blame(job: FillJob, way: FillWay, { failure }: SourceError): void {
    const { log, records } = this.#options;
    job.failedTries++;
    job.hasUnreportedFailure = true;
    if (failure.kind === 'lies') {
      job.chunksRefused++;
      records.chunk('refused');
      job.lastFailure = { code: 'FILL_CHECKSUM', detail: `${way.node}: ${failure.detail}` };
      log.warn({ file: job.file, source: way.node, detail: failure.detail }, 'a source sent wrong bytes');
    } else {
      const detail = failure.kind === 'fails' ? failure.detail : failure.kind;
      job.lastFailure = { code: 'FILL_SOURCE_FAILED', detail: `${way.node}: ${detail}` };
      log.debug({ file: job.file, source: way.node, detail }, 'a source failed');
    }
    if (failure.kind === 'lies' || failure.kind === 'absent' || failure.kind === 'denied')
      job.spent.add(way.node);
    if (job.failedTries >= failedTriesMax) this.#giveUp(job);
  }

  /** Our own disk, or a bug: nothing half-written is left behind where there is no room. */
  async #met(job: FillJob, error: unknown): Promise<void> {
    const failure = toCoded(error);
    const { log, clock } = this.#options;
    log.warn({ code: failure.code, file: job.file, err: failure }, 'a file could not be filled');
    job.lastFailure = { code: failure.code, detail: failure.detail ?? failure.title };
    if (isCoded(failure, 'DISK_FULL', 'STORE_UNAVAILABLE')) {
      this.#diskReason = failure.code;
      this.#replanAtMs = clock.monotonicMs() + replanMs;
    }
    this.#giveUp(job);
    await this.#jobs.startOver(job);
  }

  /** Reports a failure and lets the file rest; then everything is tried anew. */
  #giveUp(job: FillJob): void {
    const { report, records, clock, chance } = this.#options;
    const restMs = Math.min(restMsMax, giveUpRestMs * 2 ** job.givenUp) * (0.75 + chance.fraction() / 2);
    job.restUntilMs = clock.monotonicMs() + restMs;
    job.ways = undefined;
    job.rounds = 0;
    job.failedTries = 0;
    job.hasUnreportedFailure = false;
    job.givenUp = Math.min(10, job.givenUp + 1);
    report(this.#manifest?.sequence ?? 0, job.outcome('failed', clock.nowMs()));
    records.file('failed');
  }
}
