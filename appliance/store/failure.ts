import type { ProblemCode } from '../../common/contract/problem.ts';
import { CodedError, coded, systemCode } from '../../common/runtime/errors.ts';

const codes: Readonly<Record<string, ProblemCode>> = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EFBIG: 'DISK_FULL',
};

/** Gives a failure of the disk its code: DISK_FULL or STORE_UNAVAILABLE. `what` says what was being done. */
export function storeFailure(error: unknown, what: string): CodedError {
  if (error instanceof CodedError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const code = codes[systemCode(error) ?? ''] ?? 'STORE_UNAVAILABLE';
  return coded(code, { detail: `${what}: ${reason}`, cause: error });
}

/** Whether the failure says that there is no such file. */
export function isAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
