import type { FillSourcesReply } from '../../common/contract/fill.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';
import { chooseWay, type FillWay, type WayChoice } from '../core/choose-way.ts';
import type { FillJob } from './fill-job.ts';
import type { JobQueue } from './job-queue.ts';
import type { SourceBook } from './source-book.ts';
import { isOver, type Wakeup } from './wakeup.ts';

export interface WayFinderOptions {
  /** Asks the control plane where files may be fetched from. */
  askSources: (files: string[], signal: AbortSignal) => Promise<FillSourcesReply>;
  jobs: JobQueue;
  book: SourceBook;
  wakeup: Wakeup;
  /** There is no source at all. */
  onNone: (job: FillJob) => void;
  clock: Clock;
  chance: Chance;
  log: Log;
}

const waysAgeMsMax = 300_000;
const waysAgeMsMin = 1000;
const idleWaitMs = 1000;

/** Knows the ways of each missing file, asks for them where they are missing, used up, not open yet or old, and chooses among them. */
export class WayFinder {
  readonly #options: WayFinderOptions;

  constructor(options: WayFinderOptions) {
    this.#options = options;
  }

  /** The way to use now for a file. */
  choose(job: FillJob): WayChoice {
    const { book, clock } = this.#options;
    return chooseWay({
      ways: job.ways ?? [],
      wantedSinceMs: job.wantedSinceMs,
      nowMs: clock.monotonicMs(),
      spent: job.spent,
      stateOf: (node) => book.stateOf(node),
    });
  }

  /** Asks, many files at a time, until the signal ends it. */
  async run(signal: AbortSignal): Promise<void> {
    const { askSources, jobs, wakeup, clock, chance, log } = this.#options;
    while (!signal.aborted) {
      const asked = [...jobs.window()].filter((job) => this.#needsWays(job));
      if (asked.length === 0) {
        await wakeup.wait(idleWaitMs, signal);
        continue;
      }
      try {
        const { sources } = await askSources(
          asked.map((job) => job.file),
          signal,
        );
        const waysOf = new Map(sources.map(({ file, ways }) => [file, ways]));
        for (const job of asked) this.#giveWays(job, waysOf.get(job.file) ?? []);
        wakeup.notify();
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
    return ageMs > waysAgeMsMin && this.choose(job).kind !== 'way';
  }

  #giveWays(job: FillJob, ways: readonly FillWay[]): void {
    const isWaiting = job.ways !== undefined && this.choose(job).kind === 'wait';
    job.ways = ways;
    job.waysAtMs = this.#options.clock.monotonicMs();
    if (!isWaiting) {
      job.rounds++;
      job.spent.clear();
    }
    if (ways.length > 0 || job.inFlight > 0) return;
    job.lastFailure = { code: 'FILL_NO_SOURCE', detail: 'the control plane knows of no source' };
    this.#options.onNone(job);
  }
}
