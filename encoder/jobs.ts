import type { EncodeComplete, EncodeJob } from '../common/contract/titles.ts';

/** A lease on a job: what every report about it carries. */
export type JobLease = Pick<EncodeJob, 'jobId' | 'leaseId'>;

export interface JobFailure {
  code: string;
  detail: string;
  /** The source is at fault: trying again cannot help. */
  final: boolean;
}

/** The control plane's side of encode jobs. Errors: LEASE_LOST, JOB_UNKNOWN, CONTROL_UNREACHABLE and others that may pass. */
export interface Jobs {
  /** Waits for a job for up to `waitMs`. */
  lease(waitMs: number, signal: AbortSignal): Promise<EncodeJob | undefined>;
  /** Tells how far the job is, which renews the lease. */
  progress(lease: JobLease, progress: { fraction: number; stage: string }): Promise<void>;
  complete(lease: JobLease, made: Pick<EncodeComplete, 'bundle' | 'tags' | 'notices'>): Promise<void>;
  fail(lease: JobLease, failure: JobFailure): Promise<void>;
}
