/** The validators of a representation: a strong ETag with its quotes, and when it was last modified. */
export interface Validators {
  readonly etag: string;
  readonly lastModifiedMs: number;
}

/** The conditional headers of a request, as received. */
export interface ConditionalHeaders {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: string | undefined;
  readonly ifUnmodifiedSince?: string | undefined;
  readonly ifRange?: string | undefined;
}

/** Evaluates the preconditions of a GET or HEAD in the order of RFC 9110 §13.2.2. */
export function evaluatePreconditions(
  headers: ConditionalHeaders,
  validators: Validators,
): 'proceed' | 'not-modified' | 'precondition-failed' {
  if (headers.ifMatch !== undefined) {
    if (!listed(headers.ifMatch, validators.etag, 'strong')) return 'precondition-failed';
  } else if (headers.ifUnmodifiedSince !== undefined) {
    const since = parseHttpDate(headers.ifUnmodifiedSince);
    if (since !== undefined && seconds(validators.lastModifiedMs) > since) return 'precondition-failed';
  }
  if (headers.ifNoneMatch !== undefined) {
    return listed(headers.ifNoneMatch, validators.etag, 'weak') ? 'not-modified' : 'proceed';
  }
  if (headers.ifModifiedSince !== undefined) {
    const since = parseHttpDate(headers.ifModifiedSince);
    if (since !== undefined && seconds(validators.lastModifiedMs) <= since) return 'not-modified';
  }
  return 'proceed';
}

/** Whether a Range header counts, by If-Range (RFC 9110 §13.1.5): a strong ETag, or exactly the date of last modification. */
export function rangeApplies(ifRange: string | undefined, validators: Validators): boolean {
  if (ifRange === undefined) return true;
  const value = ifRange.trim();
  if (value.startsWith('"')) return value === validators.etag;
  if (value.startsWith('W/')) return false;
  return parseHttpDate(value) === seconds(validators.lastModifiedMs);
}

function listed(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  return header.split(',').some((part) => {
    const tag = part.trim();
    if (tag.startsWith('W/')) return comparison === 'weak' && tag.slice(2) === etag;
    return tag === etag;
  });
}

function seconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}

const imfDate =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Unix seconds of an IMF-fixdate (RFC 9110 §5.6.7); the obsolete forms are not read, so their conditions are ignored. */
function parseHttpDate(text: string): number | undefined {
  const value = text.trim();
  if (!imfDate.test(value)) return undefined;
  const timeMs = Date.parse(value);
  return Number.isNaN(timeMs) ? undefined : timeMs / 1000;
}
