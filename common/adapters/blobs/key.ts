import { coded } from '../../runtime/errors.ts';
import type { BlobListOptions, BlobReadOptions } from './port.ts';

const KEY_LENGTH_MAX = 512;
const WORD_LENGTH_MAX = 200;
const LIST_LIMIT_MAX = 1000;

// No word begins with a dot: no `.` and `..`, and dot names are left to the engines' own use.
const word = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
const prefixEnd = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*)?$/;

/** Passes a valid blob key, else throws KEY_INVALID. */
export function checkBlobKey(key: string): string {
  if (key.length > KEY_LENGTH_MAX) throw coded('KEY_INVALID', `longer than ${String(KEY_LENGTH_MAX)}`);
  if (!key.split('/').every((part) => part.length <= WORD_LENGTH_MAX && word.test(part))) {
    throw coded('KEY_INVALID', `${JSON.stringify(key)} is no blob key`);
  }
  return key;
}

/** Passes the beginning of a valid blob key ('' included), else throws KEY_INVALID. */
export function checkBlobPrefix(prefix: string): string {
  const words = prefix.split('/');
  const last = words.pop() ?? '';
  const valid =
    prefix.length <= KEY_LENGTH_MAX && words.every((part) => word.test(part)) && prefixEnd.test(last);
  if (!valid)
    throw coded('KEY_INVALID', `${JSON.stringify(prefix.slice(0, KEY_LENGTH_MAX))} begins no blob key`);
  return prefix;
}

/** The bytes `[offset, end)` that a read of a blob of this size gives; KEY_INVALID for numbers that are no byte counts. */
export function clipRange(sizeBytes: number, options: BlobReadOptions): { offset: number; end: number } {
  const offset = checkCount(options.offset ?? 0, 'offset');
  const length = checkCount(options.length ?? sizeBytes, 'length');
  const end = Math.min(sizeBytes, offset + length);
  return { offset: Math.min(offset, end), end };
}

/** Passes the limit of a listing, the most when absent. */
export function listLimit(options: BlobListOptions): number {
  if (options.after !== undefined) checkBlobPrefix(options.after);
  return Math.min(LIST_LIMIT_MAX, Math.max(1, checkCount(options.limit ?? LIST_LIMIT_MAX, 'limit')));
}

function checkCount(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0)
    throw coded('INVALID', `${what} is no count: ${String(value)}`);
  return value;
}
