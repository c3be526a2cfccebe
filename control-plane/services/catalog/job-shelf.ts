import type { EncodeCraft, EncodeJob, SourceTags } from '../../../common/contract/titles.ts';
import type { TitleJob } from './records.ts';

/** What a job is of, as the queue needs it: a title, an artwork. */
export interface JobHolder {
  readonly id: string;
  readonly createdAtMs: number;
  readonly sourceSizeBytes: number;
  readonly phase: string;
  readonly job?: TitleJob | undefined;
  readonly error?: { readonly code: string; readonly detail: string } | undefined;
}

/** What the queue makes of one. */
export interface JobChange {
  readonly phase: 'queued' | 'encoding' | 'failed';
  readonly job: TitleJob;
  /** Stays as it was where it is absent. */
  readonly error?: { readonly code: string; readonly detail: string };
}

/** Records with jobs of one craft. */
export interface JobShelf {
  readonly makes: EncodeCraft;
  all(): readonly JobHolder[];
  find(id: string): JobHolder | undefined;
  ofJob(jobId: string): JobHolder | undefined;
  /** Changes one as it is by then. Errors: what `change` throws, those of the store. */
  change(id: string, change: (holder: JobHolder) => JobChange): Promise<JobHolder>;
  /** Whether this bundle is what one has. */
  has(id: string, bundle: string): boolean;
  /**
   * Looks at a published bundle, calling `onStep` after each file of it. Gives what puts it in its place, the job being done.
   * Errors: BUNDLE_INVALID.
   */
  accept(
    holder: JobHolder,
    made: { readonly bundle: string; readonly tags: SourceTags; readonly notices?: readonly string[] },
    onStep: () => void,
  ): Promise<() => Promise<void>>;
  /** What an encoder is told of it. */
  told(holder: JobHolder): Pick<EncodeJob, 'titleId' | 'name' | 'picture' | 'captions'>;
  /** The source is needed no more. */
  sourceDone(id: string): void;
}
