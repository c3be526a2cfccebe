import type { Problem } from '../../common/contract/problem.ts';
import {
  evaluatePreconditions,
  rangeApplies,
  type ConditionalHeaders,
} from '../../common/core/conditional.ts';
import { parseFilePath, type FilePath } from '../../common/core/file-path.ts';
import {
  contentRange,
  contentRangeUnsatisfiable,
  planRange,
  type ByteRange,
} from '../../common/core/http-range.ts';
import { mediaTypeOf, type FileExtension } from '../../common/core/media-types.ts';

/** Where the bytes come from, for Cache-Status (RFC 9211): this box, or the blobs behind it. */
export type CacheState = 'hit' | 'miss';

/** What a request asks of the engine, decided by method and target alone. */
export type TargetPlan =
  | { readonly kind: 'file'; readonly path: FilePath; readonly head: boolean }
  | { readonly kind: 'health' }
  | { readonly kind: 'probe' }
  | { readonly kind: 'metrics' }
  | { readonly kind: 'preflight' }
  | { readonly kind: 'refused'; readonly code: 'NOT_FOUND' | 'METHOD_NOT_ALLOWED' };

/** The file as it is held: what validators, lengths and types are made from. */
export interface Representation {
  readonly path: Pick<FilePath, 'file' | 'ext'>;
  readonly sizeBytes: number;
  readonly lastModifiedMs: number;
  readonly cache: CacheState;
}

/** Who answers, and how long that took: from the head of the request until the answer's head is made. */
export interface Responder {
  /** The node id of this box. */
  readonly box: string;
  readonly delayMs: number;
}

/** The headers of a request that decide what is answered. */
export interface FileRequestHeaders extends ConditionalHeaders {
  readonly range?: string | undefined;
}

/** Everything of an answer but its bytes. `body` is the part of the file that follows, or nothing. */
export interface ResponsePlan {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: ByteRange | undefined;
}

export const methodsAllowed = 'GET, HEAD, OPTIONS';

// Any page may play from a box: the token is the credential, cookies are never used. Problems carry these headers too.
const openHeaders = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'Accept-Ranges, Cache-Status, CMSD-Dynamic, CMSD-Static, Content-Length, Content-Range, ETag, Retry-After, Server-Timing',
  'cross-origin-resource-policy': 'cross-origin',
  'timing-allow-origin': '*',
  'x-content-type-options': 'nosniff',
  // ADR 3: the token in the path must not travel on in a Referer.
  'referrer-policy': 'no-referrer',
} as const;

// `private`: the URL is a credential that expires and can be revoked; a shared cache would go on answering it, and
// could not share it between viewers anyway. `immutable`: the name is the hash of the bytes (ADR 2).
const cacheControl = 'private, max-age=31536000, immutable';

// What CMSD (CTA-5006) can say of a file by its extension alone: the object type, the format, and that it is on demand.
const cmsdStatic: Readonly<Record<FileExtension, string>> = {
  mp4: 'ot=v,st=v',
  m4a: 'ot=a,st=v',
  m3u8: 'ot=m,sf=h,st=v',
  vtt: 'ot=c,st=v',
  jpg: 'ot=o,st=v',
  png: 'ot=o,st=v',
  webp: 'ot=o,st=v',
  avif: 'ot=o,st=v',
  json: 'ot=o,st=v',
  chunks: 'ot=o',
};

const texts: ReadonlyMap<string, 'health' | 'metrics' | 'probe'> = new Map([
  ['/healthz', 'health'],
  ['/metrics', 'metrics'],
  ['/probe', 'probe'],
]);

/** Reads method and target (the request line's, undecoded). Whether a token is good is the next question. */
export function planTarget(method: string, target: string): TargetPlan {
  const local = originForm(target);
  const end = local.indexOf('?');
  const pathname = end === -1 ? local : local.slice(0, end);
  const isRead = method === 'GET' || method === 'HEAD';
  const text = texts.get(pathname);
  if (text !== undefined) return isRead ? { kind: text } : { kind: 'refused', code: 'METHOD_NOT_ALLOWED' };
  const path = parseFilePath(local);
  if (method === 'OPTIONS' && (path !== undefined || local === '*')) return { kind: 'preflight' };
  if (path === undefined) return { kind: 'refused', code: 'NOT_FOUND' };
  return isRead
    ? { kind: 'file', path, head: method === 'HEAD' }
    : { kind: 'refused', code: 'METHOD_NOT_ALLOWED' };
}

// RFC 9112 §3.2.2: a server must accept the absolute form too.
function originForm(target: string): string {
  const match = /^https?:\/\/[^/?#]*(\/.*)$/i.exec(target);
  return match?.[1] ?? target;
}

/**
 * Decides status, headers and range for a file that is held and allowed: 200, 206, 304, 412 or 416. Headers that depend
 * on the request stand last, in one order: content-range, content-length, then those of `timingHeaders`. So the native
 * engine can keep all before them as one text.
 */
export function planResponse(
  request: FileRequestHeaders & { readonly head: boolean },
  file: Representation,
  responder: Responder,
): ResponsePlan {
  const validators = { etag: etagOf(file.path), lastModifiedMs: file.lastModifiedMs };
  const held = {
    ...openHeaders,
    'cache-status': file.cache === 'hit' ? 'nearcast;hit' : 'nearcast;fwd=uri-miss',
  };
  const cached = {
    ...held,
    etag: validators.etag,
    'last-modified': new Date(file.lastModifiedMs).toUTCString(),
    'cache-control': cacheControl,
  };
  const outcome = evaluatePreconditions(request, validators);
  if (outcome === 'not-modified') return { status: 304, headers: cached, body: undefined };
  if (outcome === 'precondition-failed') {
    return {
      status: 412,
      headers: { ...held, 'cache-control': 'no-store', 'content-length': 0 },
      body: undefined,
    };
  }
  // RFC 9110 §14.2: ranges are defined for GET only, and only if If-Range agrees.
  const ranged = !request.head && rangeApplies(request.ifRange, validators);
  const range = planRange(ranged ? request.range : undefined, file.sizeBytes);
  if (range.kind === 'unsatisfiable') return unsatisfiable(held, file.sizeBytes);
  const described = {
    ...cached,
    'accept-ranges': 'bytes',
    'content-type': mediaTypeOf(file.path.ext),
    'cmsd-static': cmsdStatic[file.path.ext],
  };
  const timing = timingHeaders(responder, file.cache);
  if (range.kind === 'part') {
    const { start, end } = range.range;
    return {
      status: 206,
      headers: {
        ...described,
        'content-range': contentRange(range.range, file.sizeBytes),
        'content-length': end - start + 1,
        ...timing,
      },
      body: range.range,
    };
  }
  const whole = file.sizeBytes === 0 || request.head ? undefined : { start: 0, end: file.sizeBytes - 1 };
  return {
    status: 200,
    headers: { ...described, 'content-length': file.sizeBytes, ...timing },
    body: whole,
  };
}

/**
 * The headers of a body's answer that say how long it took to begin, in whole milliseconds. Exactly these bytes are
 * made by the native engine too (there always with `hit`), so nothing in them may depend on more than that number:
 *
 *     cmsd-dynamic: "<node id>";rd=<ms>
 *     server-timing: cdn-cache;desc=hit, ttfb;dur=<ms>
 *
 * CTA-5006 §3: a list with one item per server, `rd` is its response delay; W3C Server Timing §3. A node id has no
 * character that a structured string would escape (RFC 8941 §3.3.3).
 */
export function timingHeaders(
  { box, delayMs }: Responder,
  cache: CacheState,
): { 'cmsd-dynamic': string; 'server-timing': string } {
  const ms = String(Math.max(0, Math.floor(delayMs)));
  return {
    'cmsd-dynamic': `"${box}";rd=${ms}`,
    'server-timing': `cdn-cache;desc=${cache}, ttfb;dur=${ms}`,
  };
}

function unsatisfiable(held: Record<string, string>, sizeBytes: number): ResponsePlan {
  const headers = {
    ...held,
    'cache-control': 'no-store',
    'content-range': contentRangeUnsatisfiable(sizeBytes),
    'content-length': 0,
  };
  return { status: 416, headers, body: undefined };
}

/** The strong ETag: the file's name. The descriptor is another representation, so it has another tag. */
export function etagOf(path: Pick<FilePath, 'file' | 'ext'>): string {
  return path.ext === 'chunks' ? `"${path.file}.chunks"` : `"${path.file}"`;
}

/** The answer to a CORS preflight: which methods and headers a page may use, remembered for a day. */
export function planPreflight(): ResponsePlan {
  return {
    status: 204,
    headers: {
      ...openHeaders,
      'access-control-allow-methods': methodsAllowed,
      'access-control-allow-headers':
        'Range, If-Range, If-None-Match, If-Match, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status',
      'access-control-max-age': '86400',
      allow: methodsAllowed,
    },
    body: undefined,
  };
}

/**
 * The answer that sends a viewer to another box for this one request: the file stays where it is asked for, so nothing about
 * it may be remembered (RFC 9110 §15.4.8). The token goes along, being in the path (ADR 3).
 */
export function planRedirect(location: string): ResponsePlan {
  return {
    status: 307,
    headers: { ...openHeaders, 'cache-control': 'no-store', location, 'content-length': 0 },
    body: undefined,
  };
}

/** The answer that carries a text made here: health, metrics. Never cached. */
export function planText(text: { contentType: string; lengthBytes: number }): ResponsePlan {
  return {
    status: 200,
    headers: {
      ...openHeaders,
      'cache-control': 'no-store',
      'content-type': text.contentType,
      'content-length': text.lengthBytes,
    },
    body: undefined,
  };
}

/**
 * The answer to what is refused: RFC 9457 details, readable by pages, never cached. Load that is shed answers 429 with
 * Retry-After and never 503, since players leave at once on a 4xx but retry the same box on a 503.
 */
export function planProblem(
  problem: Pick<Problem, 'status' | 'code'>,
  body: { lengthBytes: number; retryAfterS?: number | undefined },
): ResponsePlan {
  return {
    status: problem.status,
    headers: {
      ...openHeaders,
      'cache-control': 'no-store',
      'content-type': 'application/problem+json',
      'content-length': body.lengthBytes,
      ...(problem.code === 'METHOD_NOT_ALLOWED' && { allow: methodsAllowed }),
      ...(body.retryAfterS !== undefined && { 'retry-after': body.retryAfterS }),
    },
    body: undefined,
  };
}
