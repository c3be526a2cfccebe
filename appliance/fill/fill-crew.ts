import { coded, toCoded } from '../../common/runtime/errors.ts';
import type { CodedError } from '../../common/runtime/errors.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { FillWay, WayChoice } from '../core/choose-way.ts';
import { planTakeOver, runChunks } from '../core/take-over.ts';
import type { FillRecords } from '../metrics.ts';
import type { FileStore } from '../store/file-store.ts';
import type { FillJob } from './fill-job.ts';
import type { FillOutcomes } from './fill-outcomes.ts';
import type { JobQueue } from './job-queue.ts';
import type { Room } from './room.ts';
import type { SourceBook } from './source-book.ts';
import type { SourceClient } from './source-client.ts';
import { SourceError } from './source-failure.ts';
import { Transfer } from './transfer.ts';
import type { Wakeup } from './wakeup.ts';
import type { WayFinder } from './way-finder.ts';

export interface FillCrewOptions {
  store: FileStore;
  room: Room;
  jobs: JobQueue;
  ways: WayFinder;
  book: SourceBook;
  sources: SourceClient;
  outcomes: FillOutcomes;
  wakeup: Wakeup;
  records: FillRecords;
  clock: Clock;
  log: Log;
  /** Transfers at a time. */
  concurrency: number;
  /** Our own disk refused a file, or a bug did. */
  onTrouble: (failure: CodedError) => void;
}

type Task =
  | { readonly kind: 'resume' | 'publish'; readonly job: FillJob }
  | { readonly kind: 'open'; readonly job: FillJob; readonly way: FillWay }
  | { readonly kind: 'fetch'; readonly job: FillJob; readonly transfer: Transfer };

const failedTriesMax = 8;
/** Times that new ways are asked for before a file is given up. */
const roundsMax = 2;
/** A wait above this is worth a report. */
const longWaitMs = 10_000;
const idleWaitMs = 1000;

/**
 * Brings the files of the queue here, so many transfers at a time: in the queue's order, each from several sources at once.
 * A worker that finds no chunk left to fetch takes some over from a transfer that would end late.
 */
export class FillCrew {
  readonly #options: FillCrewOptions;

  constructor(options: FillCrewOptions) {
    this.#options = options;
  }

  /** Works until the signal ends it; downloads under way can then be resumed. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.concurrency }, () => this.#work(signal)));
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { wakeup } = this.#options;
    while (!signal.aborted) {
      const next = this.#next();
      if (next.kind === 'wait') {
        await wakeup.wait(next.waitMs, signal);
        continue;
      }
      const { job } = next;
      const giveBack = next.kind === 'fetch' ? job.takeTransfer(next.transfer) : job.takeAlone();
      const either = AbortSignal.any([signal, job.abort.signal]);
      try {
        await this.#do(next, either);
      } catch (error) {
        if (!either.aborted) await this.#met(job, error);
      } finally {
        giveBack();
        wakeup.notify();
      }
    }
  }

  #next(): Task | { readonly kind: 'wait'; readonly waitMs: number } {
    let waitMs = idleWaitMs;
    for (const job of this.#options.jobs.window()) {
      const step = job.nextStep();
      if (step?.kind === 'publish') return { kind: 'publish', job };
      if (step?.kind === 'open' && this.#options.store.partial.has(job.file)) return { kind: 'resume', job };
      if (step === undefined && job.transfers.size === 0) continue;
      const choice = this.#options.ways.choose(job);
      if (choice.kind !== 'way') {
        if (choice.kind === 'wait') waitMs = Math.min(waitMs, choice.waitMs);
        if (step !== undefined) this.#considerGivingUp(job, choice);
        continue;
      }
      const { way } = choice;
      if (step?.kind === 'open') return { kind: 'open', job, way };
      const transfer = step === undefined ? this.#takeOver(job, way) : this.#begin(job, way);
      if (transfer !== undefined) return { kind: 'fetch', job, transfer };
    }
    return { kind: 'wait', waitMs: Math.max(1, waitMs) };
  }

  #begin(job: FillJob, way: FillWay): Transfer | undefined {
    const run = job.nextRun(runChunks(this.#options.book.stateOf(way.node).bytesPerSecond));
    return run && this.#transfer(run, way);
  }

  #takeOver(job: FillJob, way: FillWay): Transfer | undefined {
    const { book, log } = this.#options;
    const { bytesPerSecond } = book.stateOf(way.node);
    const planned = planTakeOver([...job.transfers], { node: way.node, bytesPerSecond });
    if (planned === undefined) return undefined;
    const { victim, first } = planned;
    const { last } = victim;
    // It keeps the file waiting for a chunk that it has begun.
    if (first === victim.next) book.demote(victim.node);
    victim.endBefore(first);
    log.debug({ file: job.file, from: victim.node, to: way.node, first, last }, 'chunks were taken over');
    return this.#transfer({ first, last }, way);
  }

  #transfer(run: { first: number; last: number }, way: FillWay): Transfer {
    const { book, clock } = this.#options;
    const { bytesPerSecond } = book.stateOf(way.node);
    return new Transfer(run, way, { bytesPerSecond, nowMs: () => clock.monotonicMs() });
  }

  /** No way is open: other ways may be had for the asking; if not, people should hear of it. */
  #considerGivingUp(job: FillJob, choice: Exclude<WayChoice, { kind: 'way' }>): void {
    if (job.ways === undefined || job.inFlight > 0) return;
    if (choice.kind === 'wait' && choice.waitMs < longWaitMs) return;
    if (choice.kind === 'none' && job.rounds < roundsMax) job.ways = undefined;
    else if (job.hasUnreportedFailure) this.#options.outcomes.givenUp(job);
  }

  async #do(task: Task, signal: AbortSignal): Promise<void> {
    const { job } = task;
    const { store, room, clock } = this.#options;
    job.startedAtMs ??= clock.nowMs();
    switch (task.kind) {
      case 'publish':
        return this.#publish(job);
      case 'resume':
        await room.forPlanned(
          { disk: store.begunOn(job.file), costBytes: store.costBytes(job.wanted.sizeBytes) },
          () => Promise.resolve(),
        );
        // It verifies what is there, which may take long: others find their room meanwhile.
        job.partial = await store.resume(job.file);
        return this.#dropUnwanted(job);
      case 'open':
        return this.#blaming(job, task.way, () => this.#open(job, task.way, signal));
      case 'fetch':
        return this.#blaming(job, task.transfer.way, () => this.#fetch(job, task.transfer, signal));
    }
  }

  /** Does what a source has its part in; what fails for its reasons ends here. */
  async #blaming(job: FillJob, way: FillWay, work: () => Promise<'good' | 'unknown'>): Promise<void> {
    const { book } = this.#options;
    book.begin(way.node);
    try {
      book.end(way.node, await work());
    } catch (error) {
      // Our own failures and aborts say nothing about the source.
      book.end(way.node, error instanceof SourceError ? error.failure : 'unknown');
      if (error instanceof SourceError) this.#blame(job, way, error);
      else throw error;
    }
  }

  async #fetch(job: FillJob, transfer: Transfer, signal: AbortSignal): Promise<'good' | 'unknown'> {
    const { sources, records, book } = this.#options;
    const { partial, ext } = job;
    const { way } = transfer;
    if (partial === undefined) return 'unknown';
    const onChunk = (bytes: number): void => {
      job.count(way, bytes);
      records.chunk('verified');
      records.received(way.kind, bytes);
    };
    try {
      await sources.chunks({ ext, partial, transfer, onChunk }, signal);
    } finally {
      book.rate(way.node, transfer.receivedBytes, transfer.elapsedMs);
    }
    return transfer.next > transfer.first ? 'good' : 'unknown';
  }

  async #open(job: FillJob, way: FillWay, signal: AbortSignal): Promise<'good'> {
    const { store, room, sources } = this.#options;
    const { file, wanted } = job;
    const { descriptor, sizeBytes } = await sources.descriptor({ ...wanted, way }, signal);
    signal.throwIfAborted();
    // The chunk list is proven by the name, so it is the manifest that is wrong: what was planned would not fit.
    if (sizeBytes !== wanted.sizeBytes) {
      throw coded('FILE_CORRUPT', `the manifest says ${wanted.sizeBytes} bytes, the file has ${sizeBytes}`);
    }
    job.partial = await room.forPlanned(
      { disk: wanted.disk, costBytes: store.costBytes(sizeBytes) },
      (disk) => store.begin(file, descriptor, disk),
    );
    await this.#dropUnwanted(job);
    return 'good';
  }

  /** What is no longer wanted since its opening began: whoever dropped it found nothing yet to discard. */
  async #dropUnwanted({ abort, file }: FillJob): Promise<void> {
    if (abort.signal.aborted) await this.#options.store.discard(file);
  }

  async #publish(job: FillJob): Promise<void> {
    const { store, jobs, outcomes, log } = this.#options;
    if (job.partial === undefined) return;
    await store.publish(job.partial);
    jobs.remove(job);
    const { sizeBytes, bytesBySource } = outcomes.held(job);
    log.info({ file: job.file, sizeBytes, bytesBySource }, 'file filled');
  }

  /** A source failed a job: it is left out, or rests, and another way is taken. */
  #blame(job: FillJob, way: FillWay, { failure }: SourceError): void {
    const { log, records, outcomes } = this.#options;
    job.failedTries++;
    job.hasUnreportedFailure = true;
    if (failure.kind === 'lies') {
      job.chunksRefused++;
      records.chunk('refused');
      job.lastFailure = { code: 'FILL_CHECKSUM', detail: `${way.node}: ${failure.detail}` };
      log.warn({ file: job.file, source: way.node, detail: failure.detail }, 'a source sent wrong bytes');
    } else if (failure.kind === 'absent') {
      job.lastFailure = { code: 'FILL_NO_SOURCE', detail: `${way.node} does not hold it` };
    } else {
      const detail = failure.kind === 'fails' ? failure.detail : failure.kind;
      job.lastFailure = { code: 'FILL_SOURCE_FAILED', detail: `${way.node}: ${detail}` };
      log.debug({ file: job.file, source: way.node, detail }, 'a source failed');
    }
    if (failure.kind === 'lies' || failure.kind === 'absent' || failure.kind === 'denied')
      job.spent.add(way.node);
    if (job.failedTries >= failedTriesMax) outcomes.givenUp(job);
  }

  /** Our own disk, or a bug: nothing half-written is left behind where there is no room. */
  async #met(job: FillJob, error: unknown): Promise<void> {
    const { log, jobs, outcomes, onTrouble } = this.#options;
    const failure = toCoded(error);
    log.warn({ code: failure.code, file: job.file, err: failure }, 'a file could not be filled');
    job.lastFailure = { code: failure.code, detail: failure.detail ?? failure.title };
    onTrouble(failure);
    outcomes.givenUp(job);
    await jobs.startOver(job);
  }
}
