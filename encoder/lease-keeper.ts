import type { EncodeJob } from '../common/contract/titles.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { isCoded } from '../common/runtime/errors.ts';
import type { Log } from '../common/runtime/log.ts';
import type { Jobs } from './jobs.ts';

/** What is told of a job in work. */
export interface JobProgress {
  fraction: number;
  stage: string;
}

export interface LeaseKeeper {
  /** Sets what the next report says. */
  report(progress: JobProgress): void;
  /** Ends the reports; resolves when none is on its way. */
  stop(): Promise<void>;
}

/** Reports while there is something new to say, for the progress bar; else as seldom as the lease allows. */
const reportIntervalMs = 500;

/**
 * Renews a job's lease by reporting its progress: at least three times a lease, at most twice a second. When the lease
 * has passed to another worker, `onLost` is called with that error and reporting ends. A control plane that cannot be
 * reached is no reason to stop: it may be back before anybody else has taken the job.
 */
export function keepLease(options: {
  job: EncodeJob;
  jobs: Jobs;
  clock: Clock;
  log: Log;
  onLost: (error: unknown) => void;
}): LeaseKeeper {
  const { clock, job, jobs, log, onLost } = options;
  const ending = new AbortController();
  let current: JobProgress = { fraction: 0, stage: 'starting' };
  let told: JobProgress | undefined;
  let toldAtMs = -Infinity;

  const tell = async (): Promise<'ok' | 'lost'> => {
    const now = current;
    toldAtMs = clock.monotonicMs();
    try {
      await jobs.progress(job, now);
      told = now;
    } catch (error) {
      if (isCoded(error, 'LEASE_LOST', 'JOB_UNKNOWN')) {
        onLost(error);
        return 'lost';
      }
      log.warn({ jobId: job.jobId, err: error }, 'progress not reported');
    }
    return 'ok';
  };
  const loop = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const isDue = clock.monotonicMs() - toldAtMs >= job.leaseMs / 3;
      if ((isDue || current !== told) && (await tell()) === 'lost') return;
      await clock
        .sleep(Math.min(reportIntervalMs, job.leaseMs / 3), { signal: ending.signal })
        .catch(() => undefined);
    }
  };
  const running = loop();
  return {
    report(progress) {
      current = progress;
    },
    async stop() {
      ending.abort();
      await running;
    },
  };
}
