import type { FillOutcome } from '../../common/contract/fill.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { FillRecords } from '../metrics.ts';
import { FillJob } from './fill-job.ts';
import { backoffMs } from '../../common/core/backoff.ts';

export interface FillOutcomesOptions {
  /** Takes what became of a file. */
  report: (manifestSequence: number, outcome: FillOutcome) => void;
  records: FillRecords;
  clock: Clock;
  chance: Chance;
}

const giveUpRests = { firstMs: 5000, maxMs: 300_000 };
const givenUpMax = 10;

/** Tells what becomes of files: in reports for people and in counters. */
export class FillOutcomes {
  readonly #options: FillOutcomesOptions;
  readonly #leftReported = new Set<string>();
  #sequence = 0;

  constructor(options: FillOutcomesOptions) {
    this.#options = options;
  }

  /** What follows is of this manifest. */
  begin(sequence: number): void {
    this.#sequence = sequence;
    this.#leftReported.clear();
  }

  /** The file is held. @returns what was reported. */
  held(job: FillJob): FillOutcome {
    const outcome = job.outcome('held', this.#options.clock.nowMs());
    this.#options.report(this.#sequence, outcome);
    this.#options.records.file('held');
    return outcome;
  }

  /** The file is given up for now: it is reported with its reason and rests; then everything is tried anew. */
  givenUp(job: FillJob): void {
    const { clock, chance } = this.#options;
    const restMs = backoffMs(giveUpRests, job.givenUp) * (0.75 + chance.fraction() / 2);
    job.restUntilMs = clock.monotonicMs() + restMs;
    job.ways = undefined;
    job.rounds = 0;
    job.failedTries = 0;
    job.hasUnreportedFailure = false;
    job.givenUp = Math.min(givenUpMax, job.givenUp + 1);
    this.#failed(job);
  }

  /** The file does not fit; told once a manifest. */
  left({ file, sizeBytes }: { file: string; sizeBytes: number }): void {
    if (this.#leftReported.has(file)) return;
    this.#leftReported.add(file);
    const job = new FillJob({ file, ext: '', sizeBytes }, 0);
    job.lastFailure = {
      code: 'FILL_NO_SPACE',
      detail: `${sizeBytes} bytes do not fit beside what else is wanted`,
    };
    this.#failed(job);
  }

  #failed(job: FillJob): void {
    this.#options.report(this.#sequence, job.outcome('failed', this.#options.clock.nowMs()));
    this.#options.records.file('failed');
  }
}
