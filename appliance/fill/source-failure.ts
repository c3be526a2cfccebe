import { coded, isCoded, type CodedError } from '../../common/runtime/errors.ts';

/** What came of asking a source; the filler decides what follows. */
export type SourceFailure =
  /** It does not hold the file. */
  | { readonly kind: 'absent' }
  /** It does not take the token: new ways are needed. */
  | { readonly kind: 'denied' }
  | { readonly kind: 'busy'; readonly retryAfterMs: number }
  /** It sent bytes that are not the file's. */
  | { readonly kind: 'lies'; readonly detail: string }
  /** It cannot be reached, or reset, stalled, cut short, or answered nonsense. */
  | { readonly kind: 'fails'; readonly detail: string };

/** Thrown for what is the source's fault; what is the disk's keeps its own code. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly failure: SourceFailure;

  constructor(failure: SourceFailure, options: { cause?: unknown } = {}) {
    super('detail' in failure ? failure.detail : failure.kind, options);
    this.failure = failure;
  }
}

const retryAfterMsMax = 300_000;
const retryAfterMsDefault = 2000;

/** It sent what is not the file's. */
export function lies(detail: string): SourceError {
  return new SourceError({ kind: 'lies', detail });
}

/** It broke off, or never began. */
export function fails(detail: string, cause?: unknown): SourceError {
  return new SourceError({ kind: 'fails', detail }, { cause });
}

/** An answer with another status than was hoped for. */
export function refusal(status: number, retryAfter: string | string[] | undefined): SourceError {
  if (status === 404 || status === 410) return new SourceError({ kind: 'absent' });
  if (status === 401 || status === 403) return new SourceError({ kind: 'denied' });
  if (status !== 429) return fails(`it answered ${status}`);
  const seconds = Number(retryAfter);
  const retryAfterMs = Number.isFinite(seconds)
    ? Math.min(retryAfterMsMax, Math.max(0, seconds * 1000))
    : retryAfterMsDefault;
  return new SourceError({ kind: 'busy', retryAfterMs });
}

/** Ours when we gave up or the disk did; else the source's. */
export function asSourceError(error: unknown, signal: AbortSignal): SourceError | CodedError {
  if (error instanceof SourceError || isCoded(error)) return error;
  if (signal.aborted) return coded('ABORTED', { cause: error });
  return fails(error instanceof Error ? error.message : '', error);
}
