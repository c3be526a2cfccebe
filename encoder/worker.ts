import type { EncodeJob } from '../common/contract/titles.ts';
import type { Chance } from '../common/runtime/chance.ts';
import { coded, isCoded, toCoded } from '../common/runtime/errors.ts';
import type { Component } from '../common/runtime/lifecycle.ts';
import type { JobFailure, Jobs } from './jobs.ts';
import { keepLease } from './lease-keeper.ts';
import type { EncoderMetrics } from './metrics.ts';
import { runJob, type JobResult, type Workshop } from './run-job.ts';
import { spreadBackoffMs } from '../common/core/backoff.ts';

export interface WorkerOptions extends Workshop {
  jobs: Jobs;
  metrics: EncoderMetrics;
  chance: Chance;
  /** Jobs at the same time; one ffmpeg uses all cores already. */
  concurrency: number;
  /** How long a job may go on after the process was told to stop, before it is handed back. */
  drainMs: number;
}

const leaseWaitMs = 25_000;
const retries = { firstMs: 500, maxMs: 15_000 };
/** A finished encode is told for so long to a control plane that does not answer. */
const completeForMs = 600_000;
const failForMs = 5_000;
const detailLengthMax = 2000;

/**
 * The encoder's loop as a component: leases a job, does it, reports how it ended, and waits for the next. While there is
 * none, nothing runs but the waiting call. Draining takes no new job, gives the one in work `drainMs` to finish, then
 * hands it back for another worker.
 */
export function createWorker(options: WorkerOptions): Component {
  const { concurrency, clock, drainMs, log } = options;
  const draining = new AbortController();
  const handBack = new AbortController();
  let slots: Promise<unknown>[] = [];
  return {
    name: 'worker',
    drainTimeoutMs: drainMs + failForMs + 5000,
    start: ({ crash }) => {
      const slot = (): Promise<void> =>
        workUntil(draining.signal, handBack.signal, options).catch((error: unknown) => {
          crash(error);
        });
      slots = Array.from({ length: concurrency }, slot);
    },
    drain: async () => {
      draining.abort(coded('DRAINING'));
      const finished = Promise.all(slots);
      const over = new AbortController();
      const deadline = clock.sleep(drainMs, { signal: over.signal }).then(
        () => {
          log.info('drain time is over: jobs in work are handed back');
          handBack.abort(coded('DRAINING', 'the encoder stops; the job is handed back'));
        },
        () => undefined,
      );
      await finished;
      over.abort();
      await deadline;
    },
    stop: async () => {
      draining.abort(coded('DRAINING'));
      handBack.abort(coded('DRAINING', 'the encoder stops; the job is handed back'));
      await Promise.all(slots);
    },
  };
}

async function workUntil(
  draining: AbortSignal,
  handBack: AbortSignal,
  options: WorkerOptions,
): Promise<void> {
  let failures = 0;
  while (!draining.aborted) {
    try {
      const job = await options.jobs.lease(leaseWaitMs, draining);
      failures = 0;
      if (job !== undefined) await workOn(job, handBack, options);
    } catch (error) {
      failures++;
      await pause(error, { failures, draining, options });
    }
  }
}

async function pause(
  error: unknown,
  { failures, draining, options }: { failures: number; draining: AbortSignal; options: WorkerOptions },
): Promise<void> {
  if (draining.aborted) return;
  const delayMs = spreadBackoffMs(retries, failures, options.chance);
  options.log.warn({ err: error, delayMs: Math.round(delayMs) }, 'no job could be asked for');
  await options.clock.sleep(delayMs, { signal: draining }).catch(() => undefined);
}

async function workOn(job: EncodeJob, handBack: AbortSignal, options: WorkerOptions): Promise<void> {
  const { clock, jobs, log, metrics } = options;
  const { attempt, jobId, titleId } = job;
  log.info({ jobId, titleId, attempt, sizeBytes: job.sizeBytes }, 'job leased');
  const lost = new AbortController();
  const signal = AbortSignal.any([handBack, lost.signal]);
  const keeper = keepLease({
    ...{ job, jobs, clock, log },
    onLost: (error) => {
      lost.abort(error);
    },
  });
  const endWork = metrics.startWork();
  try {
    const { tags, notices, ...result } = await runJob(job, options, {
      signal,
      onProgress: (progress) => {
        keeper.report(progress);
      },
    });
    await keeper.stop();
    await complete(job, { bundle: result.bundle, tags, notices }, { ...options, signal });
    metrics.ended('completed', result);
    log.info({ jobId, titleId, ...result }, 'job completed');
  } catch (error) {
    await keeper.stop();
    // What broke because it was told to stop is not what it stopped for.
    await giveUp(job, signal.aborted ? signal.reason : error, options);
  } finally {
    endWork();
  }
}

async function complete(
  job: EncodeJob,
  made: Pick<JobResult, 'bundle' | 'tags' | 'notices'>,
  options: WorkerOptions & { signal: AbortSignal },
): Promise<void> {
  await insist(() => options.jobs.complete(job, made), { ...options, forMs: completeForMs });
}

/** Reports why a job ended, unless it is no longer ours. */
async function giveUp(job: EncodeJob, error: unknown, options: WorkerOptions): Promise<void> {
  const { jobs, log, metrics } = options;
  const { jobId, titleId } = job;
  if (isCoded(error, 'LEASE_LOST', 'JOB_UNKNOWN')) {
    metrics.ended('lost');
    log.warn({ jobId, titleId, code: error.code }, 'job lost: another worker has it, or it was taken back');
    return;
  }
  const failure = failureOf(error);
  if (failure.code === 'DRAINING') {
    metrics.ended('handed-back');
    log.info({ jobId, titleId }, 'job handed back');
  } else {
    metrics.ended('failed');
    log.warn({ jobId, titleId, err: error, final: failure.final }, 'job failed');
  }
  try {
    const signal = AbortSignal.timeout(failForMs);
    await insist(() => jobs.fail(job, failure), { ...options, signal, forMs: failForMs });
  } catch (cause) {
    // The lease runs out by itself: the job is then another worker's.
    log.warn({ jobId, err: cause }, 'the failure could not be reported');
  }
}

function failureOf(error: unknown): JobFailure {
  const { code, detail, title } = toCoded(error);
  // What ended a job from outside says so itself; INTERNAL's message stays in the log.
  return { code, detail: (detail ?? title).slice(0, detailLengthMax), final: isFinal(code) };
}

function isFinal(code: string): boolean {
  return code.startsWith('SOURCE_') || code === 'FILE_UNKNOWN';
}

const passing = [
  'CONTROL_UNREACHABLE',
  'UNAVAILABLE',
  'RATE_LIMITED',
  'OVERLOADED',
  'DRAINING',
  'TIMEOUT',
] as const;

/** Tries again what fails for a reason that may pass. */
async function insist(
  attempt: () => Promise<void>,
  options: WorkerOptions & { signal: AbortSignal; forMs: number },
): Promise<void> {
  const { chance, clock, forMs, signal } = options;
  const endMs = clock.monotonicMs() + forMs;
  for (let failures = 1; ; failures++) {
    try {
      await attempt();
      return;
    } catch (error) {
      const delayMs = spreadBackoffMs(retries, failures, chance);
      if (!isCoded(error, ...passing) || clock.monotonicMs() + delayMs > endMs) throw error;
      await clock.sleep(delayMs, { signal });
    }
  }
}
