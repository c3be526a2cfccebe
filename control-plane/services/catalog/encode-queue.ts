import type {
  EncodeComplete,
  EncodeCraft,
  EncodeFail,
  EncodeJob,
  EncodeProgress,
} from '../../../common/contract/titles.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { assert, coded, isCoded, isProblemCode } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createWaiters, type Waiters } from '../long-poll.ts';
import { sourceKey } from './ingest.ts';
import type { JobHolder, JobShelf } from './job-shelf.ts';
import type { CatalogOptions } from './ports.ts';
import type { TitleJob } from './records.ts';

export interface EncodeQueueDependencies {
  /** What there are jobs of; ids of no two are the same. */
  readonly shelves: readonly JobShelf[];
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly options: CatalogOptions;
}

/** Which job and by whom: the node that calls. */
export interface JobCall {
  readonly jobId: string;
  readonly worker: string;
}

interface Lease {
  readonly shelf: JobShelf;
  readonly jobId: string;
  readonly leaseId: string;
  readonly worker: string;
  endMonotonicMs: number;
  fraction: number;
  stage: string;
}

const waitersMax = 256;
const waitKey = 'jobs';

/** What an encoder asks for. */
export interface LeaseWish {
  readonly waitMs: number;
  readonly makes?: readonly EncodeCraft[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Held {
  readonly holder: JobHolder;
  readonly lease: Lease;
}

interface Waiting {
  readonly shelf: JobShelf;
  readonly holder: JobHolder;
}

/** What may be leased, and from when on by the monotonic clock. */
interface Ready {
  readonly shelf: JobShelf;
  readonly fromMs: number;
}

/**
 * Encode jobs: leased to one encoder at a time, pictures before videos, which take a thousand times as long, and the oldest first. A lease ends when its encoder has not reported for its length;
 * the job then goes to another, a bounded number of times. Leases are counted by the monotonic clock; a restart of this
 * process gives each a new term, so that encoders at work go on.
 */
export class EncodeQueue {
  readonly #deps: EncodeQueueDependencies;
  readonly #waiters: Waiters;
  /** By title or artwork. */
  readonly #ready = new Map<string, Ready>();
  readonly #leases = new Map<string, Lease>();

  constructor(deps: EncodeQueueDependencies) {
    this.#deps = deps;
    this.#waiters = createWaiters({ clock: deps.clock, waitersMax });
    const fromMs = deps.clock.monotonicMs();
    for (const shelf of deps.shelves)
      for (const { id, job } of shelf.all()) {
        if (job?.state === 'queued') this.#ready.set(id, { shelf, fromMs });
        if (job?.state === 'leased') this.#keepLease(shelf, id, job);
      }
  }

  /** Takes the job of a title or artwork up. */
  add(id: string, delayMs = 0): void {
    const shelf = this.#deps.shelves.find((one) => one.find(id) !== undefined);
    assert(shelf !== undefined, `${id} is on a shelf`);
    this.#ready.set(id, { shelf, fromMs: this.#deps.clock.monotonicMs() + delayMs });
    this.#waiters.wake(waitKey);
  }

  /** Forgets the job of what is no more: whoever has it loses its lease. */
  forget(id: string): void {
    this.#ready.delete(id);
    this.#leases.delete(id);
  }

  /** Progress of a title that is being encoded. */
  progressOf(titleId: string): { fraction: number; stage: string } | undefined {
    return this.#leases.get(titleId);
  }

  /** Leases the oldest job of what the encoder makes, waiting for one up to `waitMs`; undefined when none came. Errors: OVERLOADED. */
  async lease(
    worker: string,
    { waitMs, makes = ['video'], signal }: LeaseWish,
  ): Promise<EncodeJob | undefined> {
    const { clock } = this.#deps;
    const untilMs = clock.monotonicMs() + waitMs;
    while (!isAborted(signal)) {
      const job = await this.#leaseOldest(worker, makes);
      if (job !== undefined && !isAborted(signal)) return job;
      if (job !== undefined) {
        // The encoder went away before it heard of its job.
        await this.#handBack(this.#held({ jobId: job.jobId, worker }, job.leaseId));
        return undefined;
      }
      const nowMs = clock.monotonicMs();
      if (nowMs >= untilMs) return undefined;
      // A job that waits for its next attempt wakes nobody.
      let nextMs = untilMs;
      for (const { shelf, fromMs } of this.#ready.values())
        if (makes.includes(shelf.makes)) nextMs = Math.min(nextMs, fromMs);
      await this.#waiters.wait(waitKey, { waitMs: Math.max(1, nextMs - nowMs), signal });
    }
    return undefined;
  }

  /** Renews the lease and notes how far the encode is. Errors: JOB_UNKNOWN, LEASE_LOST. */
  progress(call: JobCall, { leaseId, fraction, stage }: EncodeProgress): void {
    const { lease } = this.#held(call, leaseId);
    lease.fraction = fraction;
    lease.stage = stage;
    this.#renew(lease);
  }

  /**
   * Ends a job with the bundle that was published for it; the source's tags tell of the title where nothing better is known. Errors: JOB_UNKNOWN, LEASE_LOST, BUNDLE_INVALID (the job stays
   * leased: its encoder may publish again or give up). A repetition of what succeeded is no error.
   */
  async complete(
    call: JobCall,
    { leaseId, bundle: name, tags = {}, notices = [] }: EncodeComplete,
  ): Promise<void> {
    const isDone = (): boolean => {
      const { shelf, holder } = this.#ofJob(call.jobId);
      const { id, job } = holder;
      return job?.state === 'done' && job.leaseId === leaseId && shelf.has(id, name);
    };
    if (isDone()) return;
    const { holder, lease } = this.#held(call, leaseId);
    const put = await lease.shelf.accept(holder, { bundle: name, tags, notices }, () => {
      this.#renew(lease);
    });
    // The first of two at once may have ended it while this one looked at the files.
    if (isDone()) return;
    this.#held(call, leaseId);
    await put();
    this.#leases.delete(holder.id);
    this.#deps.log.info({ of: holder.id, bundle: name }, 'encoded');
    lease.shelf.sourceDone(holder.id);
  }

  /** Ends an attempt, or with DRAINING hands the job back. Errors: JOB_UNKNOWN, LEASE_LOST. A repetition is no error. */
  async fail(call: JobCall, { leaseId, code, detail, final }: EncodeFail): Promise<void> {
    const { job } = this.#ofJob(call.jobId).holder;
    if (job?.state === 'failed' && job.leaseId === leaseId) return;
    const held = this.#held(call, leaseId);
    // An encoder that stops has found nothing wrong with the job: another may go on at once.
    if (code === 'DRAINING' && !final) return await this.#handBack(held);
    const error = { code: isProblemCode(code) ? code : 'ENCODE_FAILED', detail };
    await this.#endAttempt(held.holder.id, { lease: held.lease, error, final });
  }

  /** Takes back, until the signal, the jobs of encoders that have gone silent. */
  async run(signal: AbortSignal): Promise<void> {
    const everyMs = Math.max(100, Math.floor(this.#deps.options.encodeLeaseMs / 20));
    for (;;) {
      await this.#deps.clock.sleep(everyMs, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.expire();
    }
  }

  /** Takes back what was not renewed in time. */
  async expire(): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [id, lease] of [...this.#leases]) {
      if (lease.endMonotonicMs > nowMs) continue;
      const error = { code: 'LEASE_LOST', detail: `the encoder ${lease.worker} has gone silent` };
      try {
        await this.#endAttempt(id, { lease, error, final: false });
      } catch (failure) {
        // Its job has ended another way, or went with what it was of: there is nothing to take back.
        const isOver = isCoded(failure, 'LEASE_LOST') || lease.shelf.find(id) === undefined;
        if (isOver && this.#leases.get(id) === lease) this.#leases.delete(id);
        if (!isOver) this.#deps.log.error({ of: id, err: failure }, 'a lease could not be taken back');
      }
    }
  }

  /** Ends all long polls. */
  stop(): void {
    this.#waiters.wakeAll();
  }

  async #leaseOldest(worker: string, makes: readonly EncodeCraft[]): Promise<EncodeJob | undefined> {
    const { chance, clock, log } = this.#deps;
    const nowMs = clock.monotonicMs();
    const due = [...this.#ready].flatMap(([id, { shelf, fromMs }]) => {
      const holder = fromMs <= nowMs && makes.includes(shelf.makes) ? shelf.find(id) : undefined;
      return holder === undefined ? [] : [{ shelf, holder }];
    });
    const [oldest] = due.sort(bySize);
    if (oldest === undefined) return undefined;
    const { shelf, holder: waiting } = oldest;
    // Taken off before the first wait: two encoders must not get the same.
    this.#ready.delete(waiting.id);
    const leaseId = chance.bytes(16).toString('base64url');
    try {
      const holder = await shelf.change(waiting.id, (current) => {
        const job = jobOf(current);
        return {
          phase: 'encoding',
          job: { ...job, state: 'leased', attempt: job.attempt + 1, leaseId, worker },
        };
      });
      const job = jobOf(holder);
      this.#keepLease(shelf, holder.id, job);
      log.info({ of: holder.id, jobId: job.jobId, worker, attempt: job.attempt }, 'encode job leased');
      return this.#view(shelf, holder, leaseId);
    } catch (error) {
      // What is gone waits for nobody.
      if (shelf.find(waiting.id) !== undefined) this.#ready.set(waiting.id, { shelf, fromMs: nowMs });
      throw error;
    }
  }

  /** Queues a job again as if it had never been leased: that is no attempt. Errors: LEASE_LOST. */
  async #handBack({ holder, lease }: Held): Promise<void> {
    const { id } = holder;
    const { job } = await lease.shelf.change(id, (current) => ({
      phase: 'queued',
      job: queuedAgain(leasedJobOf(current, lease.leaseId), -1),
    }));
    this.#leases.delete(id);
    this.#deps.log.info({ of: id, jobId: job?.jobId }, 'encode job handed back');
    this.add(id);
  }

  async #endAttempt(
    id: string,
    { lease, error, final }: { lease: Lease; error: { code: string; detail: string }; final: boolean },
  ): Promise<void> {
    const { log, options } = this.#deps;
    const { leaseId, shelf } = lease;
    const { phase, job } = await shelf.change(id, (current) => {
      const leased = leasedJobOf(current, leaseId);
      const over = final || leased.attempt >= options.encodeAttemptsMax;
      if (over) return { phase: 'failed', error, job: { ...leased, state: 'failed' } };
      return { phase: 'queued', error, job: queuedAgain(leased, 0) };
    });
    this.#leases.delete(id);
    const failed = phase === 'failed';
    log.warn({ of: id, ...error, failed, attempt: job?.attempt }, 'encode attempt failed');
    if (failed) shelf.sourceDone(id);
    else this.add(id, options.encodeRetryDelayMs);
  }

  /** What a job is of. Errors: JOB_UNKNOWN. */
  #ofJob(jobId: string): { shelf: JobShelf; holder: JobHolder } {
    for (const shelf of this.#deps.shelves) {
      const holder = shelf.ofJob(jobId);
      if (holder !== undefined) return { shelf, holder };
    }
    throw coded('JOB_UNKNOWN', jobId);
  }

  #held({ jobId, worker }: JobCall, leaseId: string): Held {
    const { holder } = this.#ofJob(jobId);
    const lease = this.#leases.get(holder.id);
    const own = lease?.leaseId === leaseId && lease.worker === worker && holder.job?.state === 'leased';
    if (!own) throw coded('LEASE_LOST', `${jobId}: drop this work and lease again`);
    return { holder, lease };
  }

  #keepLease(shelf: JobShelf, id: string, { jobId, leaseId, worker }: TitleJob): void {
    assert(leaseId !== undefined && worker !== undefined, 'a leased job says by whom');
    const lease = { shelf, jobId, leaseId, worker, endMonotonicMs: 0, fraction: 0, stage: 'starting' };
    this.#leases.set(id, lease);
    this.#renew(lease);
  }

  #renew(lease: Lease): void {
    lease.endMonotonicMs = this.#deps.clock.monotonicMs() + this.#deps.options.encodeLeaseMs;
  }

  #view(shelf: JobShelf, holder: JobHolder, leaseId: string): EncodeJob {
    const { jobId, attempt } = jobOf(holder);
    return {
      ...{ jobId, leaseId, leaseMs: this.#deps.options.encodeLeaseMs },
      ...shelf.told(holder),
      ...{ sourceKey: sourceKey(holder.id), sizeBytes: holder.sourceSizeBytes, attempt },
    };
  }
}

/** Pictures first, then the oldest. */
function bySize(a: Waiting, b: Waiting): number {
  const isPicture = ({ shelf }: Waiting): number => Number(shelf.makes === 'picture');
  const { holder: one } = a;
  const { holder: other } = b;
  return isPicture(b) - isPicture(a) || one.createdAtMs - other.createdAtMs || (one.id < other.id ? -1 : 1);
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function jobOf({ id, job }: JobHolder): TitleJob {
  assert(job !== undefined, `${id} has no job`);
  return job;
}

/** The job under this lease. Errors: LEASE_LOST. */
function leasedJobOf(holder: JobHolder, leaseId: string): TitleJob {
  const job = jobOf(holder);
  if (job.state !== 'leased' || job.leaseId !== leaseId) throw coded('LEASE_LOST', job.jobId);
  return job;
}

function queuedAgain({ jobId, attempt }: TitleJob, attemptChange: number): TitleJob {
  return { jobId, state: 'queued', attempt: attempt + attemptChange };
}
