/** A range of bytes: from `start` to `end`, both inclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a Range header asks of a representation of known size. */
export type RangePlan =
  /** No range, an invalid one, another unit, or more ranges than we answer: send the whole with 200. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly range: ByteRange }
  /** Valid, but nothing of it exists: 416. */
  | { readonly kind: 'unsatisfiable' };

const whole: RangePlan = { kind: 'whole' };
const unsatisfiable: RangePlan = { kind: 'unsatisfiable' };
// Any number of digits is valid (§14.1.2); beyond 2^53 they are no longer exact, but then beyond any file's size too.
const spec = /^(\d*)-(\d*)$/;

/**
 * Reads a Range header (RFC 9110 §14.1.2, §14.2) against a representation of `sizeBytes`.
 * An invalid header and an unknown unit are ignored; a list of several ranges is answered whole, which §14.2 allows.
 */
export function planRange(header: string | undefined, sizeBytes: number): RangePlan {
  if (header === undefined) return whole;
  const equals = header.indexOf('=');
  if (equals === -1 || header.slice(0, equals).trim().toLowerCase() !== 'bytes') return whole;
  const match = spec.exec(header.slice(equals + 1).trim());
  if (match === null) return whole;
  const [, first = '', last = ''] = match;
  if (first === '') return last === '' ? whole : suffix(Number(last), sizeBytes);
  const start = Number(first);
  const end = last === '' ? sizeBytes - 1 : Number(last);
  // §14.1.1: an int-range whose last position is before its first is invalid, so it is ignored.
  if (last !== '' && end < start) return whole;
  if (start >= sizeBytes) return unsatisfiable;
  return { kind: 'part', range: { start, end: Math.min(end, sizeBytes - 1) } };
}

function suffix(lengthBytes: number, sizeBytes: number): RangePlan {
  if (lengthBytes === 0 || sizeBytes === 0) return unsatisfiable;
  return {
    kind: 'part',
    range: { start: Math.max(0, sizeBytes - lengthBytes), end: sizeBytes - 1 },
  };
}

/** The Content-Range of a 206. */
export function contentRange(range: ByteRange, sizeBytes: number): string {
  return `bytes ${range.start}-${range.end}/${sizeBytes}`;
}

/** The Content-Range of a 416. */
export function contentRangeUnsatisfiable(sizeBytes: number): string {
  return `bytes */${sizeBytes}`;
}
