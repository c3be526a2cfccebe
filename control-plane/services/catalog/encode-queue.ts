import type {
  EncodeComplete,
  EncodeFail,
  EncodeJob,
  EncodeProgress,
} from '../../../common/contract/titles.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { assert, coded, isProblemCode } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createWaiters, type Waiters } from '../long-poll.ts';
import type { BundleStore } from './bundle-store.ts';
import { sourceKey } from './ingest.ts';
import { taggedTitle } from './metadata.ts';
import type { CatalogOptions } from './ports.ts';
import type { TitleJob, TitleRecord } from './records.ts';
import type { Titles } from './titles.ts';

export interface EncodeQueueDependencies {
  readonly titles: Titles;
  readonly bundles: BundleStore;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly options: CatalogOptions;
  /** Called when a title's source is needed no more. */
  readonly onSourceDone: (titleId: string) => void;
}

/** Which job and by whom: the node that calls. */
export interface JobCall {
  readonly jobId: string;
  readonly worker: string;
}

interface Lease {
  readonly jobId: string;
  readonly leaseId: string;
  readonly worker: string;
  endMonotonicMs: number;
  fraction: number;
  stage: string;
}

const waitersMax = 256;
const waitKey = 'jobs';

/**
 * Encode jobs: leased to one encoder at a time, oldest first. A lease ends when its encoder has not reported for its length;
 * the job then goes to another, a bounded number of times. Leases are counted by the monotonic clock; a restart of this
 * process gives each a new term, so that encoders at work go on.
 */
export class EncodeQueue {
  readonly #deps: EncodeQueueDependencies;
  readonly #waiters: Waiters;
  /** By title: the monotonic time from which the job may be leased. */
  readonly #ready = new Map<string, number>();
  readonly #leases = new Map<string, Lease>();

  constructor(deps: EncodeQueueDependencies) {
    this.#deps = deps;
    this.#waiters = createWaiters({ clock: deps.clock, waitersMax });
    const nowMs = deps.clock.monotonicMs();
    for (const { id, job } of deps.titles.all()) {
      if (job?.state === 'queued') this.#ready.set(id, nowMs);
      if (job?.state === 'leased') this.#keepLease(id, job);
    }
  }

  /** Takes a title's job up. */
  add(titleId: string, delayMs = 0): void {
    this.#ready.set(titleId, this.#deps.clock.monotonicMs() + delayMs);
    this.#waiters.wake(waitKey);
  }

  /** Progress of a title that is being encoded. */
  progressOf(titleId: string): { fraction: number; stage: string } | undefined {
    return this.#leases.get(titleId);
  }

  /** Leases the oldest job, waiting for one up to `waitMs`; undefined when none came. Errors: OVERLOADED. */
  async lease(
    worker: string,
    { waitMs, signal }: { waitMs: number; signal?: AbortSignal | undefined },
  ): Promise<EncodeJob | undefined> {
    const { clock } = this.#deps;
    const untilMs = clock.monotonicMs() + waitMs;
    while (!isAborted(signal)) {
      const job = await this.#leaseOldest(worker);
      if (job !== undefined && !isAborted(signal)) return job;
      if (job !== undefined) {
        // The encoder went away before it heard of its job.
        await this.#handBack(job.titleId, job.leaseId);
        return undefined;
      }
      const nowMs = clock.monotonicMs();
      if (nowMs >= untilMs) return undefined;
      // A job that waits for its next attempt wakes nobody.
      let nextMs = untilMs;
      for (const fromMs of this.#ready.values()) nextMs = Math.min(nextMs, fromMs);
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
  async complete(call: JobCall, { leaseId, bundle: name, tags = {} }: EncodeComplete): Promise<void> {
    const isDone = (): boolean => {
      const { job, bundle } = this.#deps.titles.ofJob(call.jobId);
      return job?.state === 'done' && job.leaseId === leaseId && bundle?.bundle === name;
    };
    if (isDone()) return;
    const { title, lease } = this.#held(call, leaseId);
    const { bundle, files } = await this.#deps.bundles.verify(name, () => {
      this.#renew(lease);
    });
    // The first of two at once may have ended it while this one looked at the files.
    if (isDone()) return;
    this.#held(call, leaseId);
    await this.#deps.titles.change(title.id, (current) => ({
      ...taggedTitle(withoutError(current), tags),
      phase: 'filling',
      job: { ...jobOf(current), state: 'done' },
      bundle: {
        bundle: name,
        durationMs: bundle.durationMs,
        renditions: bundle.video.map(({ id }) => id),
        files,
      },
    }));
    this.#leases.delete(title.id);
    this.#deps.log.info({ titleId: title.id, bundle: name, files: files.length }, 'title encoded');
    this.#deps.onSourceDone(title.id);
  }

  /** Ends an attempt, or with DRAINING hands the job back. Errors: JOB_UNKNOWN, LEASE_LOST. A repetition is no error. */
  async fail(call: JobCall, { leaseId, code, detail, final }: EncodeFail): Promise<void> {
    const known = this.#deps.titles.ofJob(call.jobId);
    if (known.job?.state === 'failed' && known.job.leaseId === leaseId) return;
    const { title } = this.#held(call, leaseId);
    // An encoder that stops has found nothing wrong with the job: another may go on at once.
    if (code === 'DRAINING' && !final) return await this.#handBack(title.id, leaseId);
    const error = { code: isProblemCode(code) ? code : 'ENCODE_FAILED', detail };
    await this.#endAttempt(title.id, { leaseId, error, final });
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
    for (const [titleId, { endMonotonicMs, leaseId, worker }] of [...this.#leases]) {
      if (endMonotonicMs > nowMs) continue;
      const error = { code: 'LEASE_LOST', detail: `the encoder ${worker} has gone silent` };
      try {
        await this.#endAttempt(titleId, { leaseId, error, final: false });
      } catch (failure) {
        this.#deps.log.error({ titleId, err: failure }, 'a lease could not be taken back');
      }
    }
  }

  /** Ends all long polls. */
  stop(): void {
    this.#waiters.wakeAll();
  }

  async #leaseOldest(worker: string): Promise<EncodeJob | undefined> {
    const { chance, clock, log, titles } = this.#deps;
    const nowMs = clock.monotonicMs();
    const due = [...this.#ready].filter(([, fromMs]) => fromMs <= nowMs).map(([id]) => titles.get(id));
    const [oldest] = due.sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
    if (oldest === undefined) return undefined;
    // Taken off before the first wait: two encoders must not get the same.
    this.#ready.delete(oldest.id);
    const leaseId = chance.bytes(16).toString('base64url');
    try {
      const title = await titles.change(oldest.id, (current) => {
        const job = jobOf(current);
        return {
          ...current,
          phase: 'encoding',
          job: { ...job, state: 'leased', attempt: job.attempt + 1, leaseId, worker },
        };
      });
      const job = jobOf(title);
      this.#keepLease(title.id, job);
      log.info({ titleId: title.id, jobId: job.jobId, worker, attempt: job.attempt }, 'encode job leased');
      return this.#view(title, leaseId);
    } catch (error) {
      this.#ready.set(oldest.id, nowMs);
      throw error;
    }
  }

  /** Queues a job again as if it had never been leased: that is no attempt. Errors: LEASE_LOST. */
  async #handBack(titleId: string, leaseId: string): Promise<void> {
    const title = await this.#deps.titles.change(titleId, (current) => ({
      ...current,
      phase: 'queued',
      job: queuedAgain(leasedJobOf(current, leaseId), -1),
    }));
    this.#leases.delete(titleId);
    this.#deps.log.info({ titleId, jobId: title.job?.jobId }, 'encode job handed back');
    this.add(titleId);
  }

  async #endAttempt(
    titleId: string,
    { leaseId, error, final }: { leaseId: string; error: { code: string; detail: string }; final: boolean },
  ): Promise<void> {
    const { log, options, titles } = this.#deps;
    const title = await titles.change(titleId, (current) => {
      const job = leasedJobOf(current, leaseId);
      const over = final || job.attempt >= options.encodeAttemptsMax;
      if (over) return { ...current, phase: 'failed', error, job: { ...job, state: 'failed' } };
      return { ...current, phase: 'queued', error, job: queuedAgain(job, 0) };
    });
    this.#leases.delete(titleId);
    const failed = title.phase === 'failed';
    log.warn({ titleId, ...error, failed, attempt: title.job?.attempt }, 'encode attempt failed');
    if (failed) this.#deps.onSourceDone(titleId);
    else this.add(titleId, options.encodeRetryDelayMs);
  }

  #held({ jobId, worker }: JobCall, leaseId: string): { title: TitleRecord; lease: Lease } {
    const title = this.#deps.titles.ofJob(jobId);
    const lease = this.#leases.get(title.id);
    const own = lease?.leaseId === leaseId && lease.worker === worker && title.job?.state === 'leased';
    if (!own) throw coded('LEASE_LOST', `${jobId}: drop this work and lease again`);
    return { title, lease };
  }

  #keepLease(titleId: string, { jobId, leaseId, worker }: TitleJob): void {
    assert(leaseId !== undefined && worker !== undefined, 'a leased job says by whom');
    const lease = { jobId, leaseId, worker, endMonotonicMs: 0, fraction: 0, stage: 'starting' };
    this.#leases.set(titleId, lease);
    this.#renew(lease);
  }

  #renew(lease: Lease): void {
    lease.endMonotonicMs = this.#deps.clock.monotonicMs() + this.#deps.options.encodeLeaseMs;
  }

  #view({ id, name, sourceSizeBytes, job }: TitleRecord, leaseId: string): EncodeJob {
    assert(job !== undefined, 'a leased title has a job');
    return {
      jobId: job.jobId,
      leaseId,
      leaseMs: this.#deps.options.encodeLeaseMs,
      titleId: id,
      name,
      sourceKey: sourceKey(id),
      sizeBytes: sourceSizeBytes,
      attempt: job.attempt,
    };
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function jobOf({ id, job }: TitleRecord): TitleJob {
  assert(job !== undefined, `title ${id} has no job`);
  return job;
}

/** The job under this lease. Errors: LEASE_LOST. */
function leasedJobOf(title: TitleRecord, leaseId: string): TitleJob {
  const job = jobOf(title);
  if (job.state !== 'leased' || job.leaseId !== leaseId) throw coded('LEASE_LOST', job.jobId);
  return job;
}

function queuedAgain({ jobId, attempt }: TitleJob, attemptChange: number): TitleJob {
  return { jobId, state: 'queued', attempt: attempt + attemptChange };
}

function withoutError({ error: _, ...title }: TitleRecord): TitleRecord {
  return title;
}
