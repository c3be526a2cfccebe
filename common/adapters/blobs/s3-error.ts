import { S3ServiceException } from '@aws-sdk/client-s3';
import { CodedError, coded } from '../../runtime/errors.ts';
import { abortError } from '../shared/store-error.ts';

const fullNames: ReadonlySet<string> = new Set(['QuotaExceeded', 'InsufficientStorage', 'XMinioStorageFull']);

/** The HTTP status of an answer of S3; undefined when there was none. */
export function s3Status(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

/** Gives a failure of S3 its code: ABORTED or TIMEOUT by the signal, DISK_FULL, STORE_DENIED, else STORE_UNAVAILABLE. */
export function s3Error(error: unknown, what: string, signal?: AbortSignal): CodedError {
  if (error instanceof CodedError) return error;
  if (signal?.aborted === true) return abortError(signal);
  const name = error instanceof Error ? error.name : '';
  const reason = error instanceof Error ? `${name}: ${error.message}` : String(error);
  return coded(codeOf(name, s3Status(error)), { detail: `${what}: ${reason}`, cause: error });
}

function codeOf(
  name: string,
  status: number | undefined,
): 'DISK_FULL' | 'STORE_DENIED' | 'STORE_UNAVAILABLE' {
  if (status === 507 || fullNames.has(name)) return 'DISK_FULL';
  if (status === 401 || status === 403 || name === 'CredentialsProviderError') return 'STORE_DENIED';
  return 'STORE_UNAVAILABLE';
}
