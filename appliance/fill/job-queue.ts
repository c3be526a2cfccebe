import type { ProblemCode } from '../../common/contract/problem.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { WantedFile } from '../core/fill-diff.ts';
import type { FileStore } from '../store/file-store.ts';
import { FillJob } from './fill-job.ts';

/** How many missing files are looked at: those behind them wait for their turn. */
const windowFiles = 64;

/** The missing files in the order in which they are wanted. */
export class JobQueue {
  readonly #store: FileStore;
  readonly #clock: Clock;
  readonly #isDue: (file: WantedFile) => boolean;
  readonly #jobs = new Map<string, FillJob>();

  /** @param options `isDue` says whether a file may be filled now; others wait in the queue. */
  constructor(options: { store: FileStore; clock: Clock; isDue: (file: WantedFile) => boolean }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#isDue = options.isDue;
  }

  get size(): number {
    return this.#jobs.size;
  }

  has(file: string): boolean {
    return this.#jobs.has(file);
  }

  /** Why files were given up, each reason once. */
  reasons(): Set<ProblemCode> {
    const given = this.#jobs.values().filter((job) => job.givenUp > 0);
    return new Set(given.flatMap(({ lastFailure }) => (lastFailure === undefined ? [] : [lastFailure.code])));
  }

  /** The files whose turn it is, those that rest or wait for their hours left out. */
  *window(): Generator<FillJob> {
    const nowMs = this.#clock.monotonicMs();
    let count = 0;
    for (const job of this.#jobs.values()) {
      if (job.restUntilMs > nowMs || !this.#isDue(job.wanted)) continue;
      yield job;
      if (++count === windowFiles) return;
    }
  }

  /** Ends with the chunks in progress what may not be filled now; it goes on from there. */
  pause(): void {
    for (const job of this.#jobs.values()) {
      if (!this.#isDue(job.wanted)) for (const transfer of job.transfers) transfer.endSoon();
    }
  }

  /** Ends what is no longer wanted, and leaves nothing of it. */
  async keepOnly(isWanted: (file: string) => boolean): Promise<void> {
    for (const job of [...this.#jobs.values()]) {
      if (isWanted(job.file)) continue;
      this.#jobs.delete(job.file);
      job.abort.abort();
      await this.#store.discard(job.file);
    }
    for (const file of [...this.#store.partial]) if (!isWanted(file)) await this.#store.discard(file);
  }

  /** Adds what is missing of these and puts all in their order. */
  arrange(wanted: Iterable<WantedFile>): void {
    const nowMs = this.#clock.monotonicMs();
    for (const item of wanted) {
      const job = this.#jobs.get(item.file) ?? new FillJob(item, nowMs);
      job.wanted = item;
      this.#jobs.delete(item.file);
      // It may have been published meanwhile.
      if (!this.#store.held.has(item.file)) this.#jobs.set(item.file, job);
    }
  }

  /** The file is held, whoever brought it. */
  arrived(file: string): void {
    this.#jobs.delete(file);
  }

  remove(job: FillJob): void {
    if (this.#jobs.get(job.file) === job) this.#jobs.delete(job.file);
  }

  /** Starts a file over with nothing on disk, as far back in line as it was given up. */
  async startOver(job: FillJob): Promise<void> {
    this.remove(job);
    job.abort.abort();
    await this.#store.discard(job.file).catch(() => undefined);
    if (this.#store.held.has(job.file) || this.#jobs.has(job.file)) return;
    const { givenUp, restUntilMs, lastFailure } = job;
    this.#jobs.set(
      job.file,
      Object.assign(new FillJob(job.wanted, job.wantedSinceMs), { givenUp, restUntilMs, lastFailure }),
    );
  }
}
