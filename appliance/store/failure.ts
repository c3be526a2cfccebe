import { constants } from 'node:os';

import type { ProblemCode } from '../../common/contract/problem.ts';
import { CodedError, coded, systemCode } from '../../common/runtime/errors.ts';

const codes: Readonly<Record<string, ProblemCode>> = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EFBIG: 'DISK_FULL',
  EROFS: 'DISK_READ_ONLY',
};

const { EIO, ENXIO, ENODEV, ESTALE, ENOTCONN } = constants.errno;
// Linux's own, which the table of Node does not have: EUCLEAN, EREMOTEIO, ESHUTDOWN.
const failedErrnos = new Set([EIO, ENXIO, ENODEV, ESTALE, ENOTCONN, 117, 121, 108]);

/** Whether an error number (positive, as the kernel gives it) says that a disk fails, and not who asks it. */
export function isDiskFailure(errno: number): boolean {
  return failedErrnos.has(errno);
}

/** Whether it is the disk that failed. */
export function isDiskError(error: unknown): boolean {
  return isDiskFailure(errnoOf(error));
}

/**
 * Gives a failure of the disk its code: DISK_FULL, DISK_READ_ONLY, DISK_FAILED (it answers with errors) or
 * STORE_UNAVAILABLE. `what` says what was being done.
 */
export function storeFailure(error: unknown, what: string): CodedError {
  if (error instanceof CodedError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const code = codes[systemCode(error) ?? ''] ?? (isDiskError(error) ? 'DISK_FAILED' : 'STORE_UNAVAILABLE');
  return coded(code, { detail: `${what}: ${reason}`, cause: error });
}

/** Whether the failure says that there is no such file. */
export function isAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function errnoOf(error: unknown): number {
  const errno: unknown = error instanceof Error && 'errno' in error ? error.errno : undefined;
  return typeof errno === 'number' ? Math.abs(errno) : 0;
}
