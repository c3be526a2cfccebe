import type { ProblemCode } from '../../contract/problem.ts';
import { CodedError, coded, systemCode } from '../../runtime/errors.ts';

const codes: Readonly<Record<string, ProblemCode>> = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EACCES: 'STORE_DENIED',
  EPERM: 'STORE_DENIED',
  EROFS: 'STORE_DENIED',
  ENAMETOOLONG: 'KEY_INVALID',
};

/**
 * Gives a failure of a disk its code: DISK_FULL, STORE_DENIED, KEY_INVALID, else STORE_UNAVAILABLE. `what` says for a
 * person what was being done, with the path. A coded error is passed through.
 */
export function storeError(error: unknown, what: string): CodedError {
  if (error instanceof CodedError) return error;
  const system = systemCode(error);
  const code = (system === undefined ? undefined : codes[system]) ?? 'STORE_UNAVAILABLE';
  const reason = error instanceof Error ? error.message : String(error);
  return coded(code, { detail: `${what}: ${reason}`, cause: error });
}

/** Whether the failure says that a file or a directory on its path is not there. */
export function isAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** What an aborted signal means to the caller: TIMEOUT when a deadline passed, ABORTED otherwise. */
export function abortError(signal: AbortSignal): CodedError {
  const reason: unknown = signal.reason;
  if (reason instanceof CodedError) return reason;
  const late = reason instanceof Error && reason.name === 'TimeoutError';
  return coded(late ? 'TIMEOUT' : 'ABORTED', { cause: reason });
}
