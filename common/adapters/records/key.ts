import { coded } from '../../runtime/errors.ts';
import type { RecordScanOptions, RecordValue } from './port.ts';

const KEY_BYTES_MAX = 512;
const VALUE_BYTES_MAX = 1024 * 1024;
const SCAN_LIMIT_MAX = 1000;

const collectionName = /^[a-z][a-z0-9-]{0,62}$/;
// U+10FFFF, no character, is left out so that it can stand behind all keys that begin with a prefix.
// eslint-disable-next-line no-control-regex -- control characters are what is refused
const notInKeys = /[\u0000-\u001f\u007f\u{10ffff}]/u;

/** Passes the name of a collection, else throws KEY_INVALID. */
export function checkCollection(collection: string): string {
  if (!collectionName.test(collection)) throw invalid(collection, 'no name of a collection');
  return collection;
}

/** Passes a record's key, else throws KEY_INVALID. */
export function checkRecordKey(key: string): string {
  if (key === '') throw invalid(key, 'empty');
  return checkText(key);
}

/** The JSON of a document; VALUE_TOO_LARGE above 1 MiB. */
export function encodeValue(value: RecordValue): string {
  const text = JSON.stringify(value);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > VALUE_BYTES_MAX) throw coded('VALUE_TOO_LARGE', `${String(sizeBytes)} bytes of JSON`);
  return text;
}

/** A scan as a half-open range of keys: `lower` ≤ key < `upper`, at most `limit`. */
export interface ScanRange {
  lower: string;
  upper: string;
  limit: number;
}

/** The range of keys that a scan asks for. */
export function scanRange(options: RecordScanOptions): ScanRange {
  const prefix = checkText(options.prefix ?? '');
  const upper = `${prefix}\u{10ffff}`;
  const limit = Math.max(1, Math.min(SCAN_LIMIT_MAX, Math.trunc(options.limit ?? SCAN_LIMIT_MAX)));
  if (options.after === undefined) return { lower: prefix, upper, limit };
  // No key holds a control character: what comes after a key comes after the key and U+0001.
  const behind = `${checkText(options.after)}\u0001`;
  const lower = Buffer.compare(Buffer.from(behind), Buffer.from(prefix)) > 0 ? behind : prefix;
  return { lower, upper, limit };
}

function checkText(text: string): string {
  // Half a surrogate pair has no UTF-8: two keys would become one.
  if (!text.isWellFormed() || notInKeys.test(text)) throw invalid(text, 'a character that no key may hold');
  if (Buffer.byteLength(text) > KEY_BYTES_MAX)
    throw invalid(text, `longer than ${String(KEY_BYTES_MAX)} bytes`);
  return text;
}

function invalid(key: string, why: string): Error {
  return coded('KEY_INVALID', `${JSON.stringify(key.slice(0, 80))}: ${why}`);
}
