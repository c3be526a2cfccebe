/** Of a request what an answer of the lean front may depend on. */
export interface LeanRequest {
  /** Path and query as they were sent. */
  readonly url: string;
  readonly headers: {
    readonly host: string;
    readonly 'x-forwarded-for': string | undefined;
  };
}

/** Fields of a message in turn: a name, its value. One that is sent more than once stands there more than once. */
export type FieldList = readonly string[];

/** No player sends so much. */
export const headBytesMax = 8 * 1024;
/** Bodies above it are a fraction of what is sent, and cost more to carry than to read. */
export const leanBodyBytesMax = 16 * 1024;
// RFC 9112 §3 and §5, in the plainest form: origin-form without a fragment, fields on a line each.
const getForm = /^GET \/[!"$-~]* HTTP\/1\.1\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)+\r\n$/;
const postForm =
  /^POST \/[!"$-~]* HTTP\/1\.1\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)+\r\n$/;
const jsonForm = /^application\/json(?:; ?charset=utf-8)?$/i;
/** RFC 3986 §3.2.2, as far as names and addresses go: what a player called, so that it may be given back as a part of a URL. */
export const plainHost = /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;
/**
 * Reads the bytes of one whole GET that keeps its connection; undefined for anything else: another method, a body, a part of a request,
 * several of them, or what is not plainly well-formed. That is for a server that knows all of HTTP.
 */
export function readLeanRequest(bytes: Buffer): LeanRequest | undefined {
  if (bytes.length > headBytesMax) return undefined;
  const text = bytes.toString('latin1');
  if (!getForm.test(text)) return undefined;
  const found = readFields(text);
  if (found === undefined || found.bodyBytes !== undefined) return undefined;
  return { url: text.slice(4, text.indexOf(' ', 4)), headers: found.headers };
}

/**
 * Reads the bytes of one whole POST of at most `leanBodyBytesMax` bytes of JSON that keeps its connection: its length is told once, in
 * digits, and all of it is there and nothing behind it. Undefined for anything else.
 */
export function readLeanPost(bytes: Buffer): (LeanRequest & { readonly body: Buffer }) | undefined {
  if (bytes[0] !== 0x50) return undefined;
  const bodyAt = bytes.indexOf('\r\n\r\n') + 4;
  if (bodyAt < 4 || bodyAt > headBytesMax) return undefined;
  const text = bytes.toString('latin1', 0, bodyAt);
  if (!postForm.test(text)) return undefined;
  const found = readFields(text);
  if (found?.bodyBytes !== bytes.length - bodyAt || !found.isJson) return undefined;
  // The bytes that a socket has read are part of a larger piece of memory.
  const body = Buffer.from(bytes.subarray(bodyAt));
  return { url: text.slice(5, text.indexOf(' ', 5)), headers: found.headers, body };
}

interface LeanFields {
  readonly headers: LeanRequest['headers'];
  /** Undefined where no length is told. */
  readonly bodyBytes: number | undefined;
  /** Nothing says that a body would be anything but JSON as it stands. */
  readonly isJson: boolean;
}

/** What counts of the fields of a well-formed head; undefined where they make it more than a plain request. */
function readFields(text: string): LeanFields | undefined {
  let host: string | undefined;
  let forwardedFor: string | undefined;
  let bodyBytes: number | undefined;
  let hasType = false;
  let isJson = true;
  for (let at = text.indexOf('\r\n') + 2, end = text.indexOf('\r\n', at); end > at;) {
    if (initials.includes(text[at] ?? '')) {
      const colon = text.indexOf(':', at);
      switch (text.slice(at, colon).toLowerCase()) {
        case 'host':
          if (host !== undefined) return undefined;
          host = fieldValue(text, colon + 1, end);
          break;
        case 'x-forwarded-for':
          forwardedFor =
            (forwardedFor === undefined ? '' : `${forwardedFor}, `) + fieldValue(text, colon + 1, end);
          break;
        case 'connection':
          if (fieldValue(text, colon + 1, end).toLowerCase() !== 'keep-alive') return undefined;
          break;
        case 'content-length': {
          const length = fieldValue(text, colon + 1, end);
          if (bodyBytes !== undefined || !/^[1-9]\d{0,4}$/.test(length)) return undefined;
          bodyBytes = Number(length);
          if (bodyBytes > leanBodyBytesMax) return undefined;
          break;
        }
        case 'content-type':
          isJson &&= !hasType && jsonForm.test(fieldValue(text, colon + 1, end));
          hasType = true;
          break;
        case 'content-encoding':
          isJson = false;
          break;
        case 'transfer-encoding':
        case 'expect':
        case 'upgrade':
        case 'trailer':
          return undefined;
      }
    }
    at = end + 2;
    end = text.indexOf('\r\n', at);
  }
  return host === undefined || !plainHost.test(host)
    ? undefined
    : { headers: { host, 'x-forwarded-for': forwardedFor }, bodyBytes, isJson };
}

/** Those of the fields that count: most of what a browser sends begins otherwise. */
const initials = 'hHxXcCtTeEuU';

/** Names and values in turn, as they were sent, of the fields of a request that `readLeanRequest` takes. */
export function leanFields(bytes: Buffer): string[] {
  const text = bytes.toString('latin1');
  const read: string[] = [];
  for (let at = text.indexOf('\r\n') + 2; ;) {
    const end = text.indexOf('\r\n', at);
    if (end <= at) return read;
    const colon = text.indexOf(':', at);
    read.push(text.slice(at, colon), fieldValue(text, colon + 1, end));
    at = end + 2;
  }
}

/** A field's value in a text, without the blanks around it. */
export function fieldValue(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

/** RFC 9110 §5.6.3. */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
