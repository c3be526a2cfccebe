/** What a box answered over HTTP/1.1. */
export interface ProbeAnswer {
  readonly status: number;
  /** Empty unless the status is 200. */
  readonly body: Buffer;
  /** Whether the connection may be asked again. */
  readonly keeps: boolean;
}

/** Head and body, and what a proxy may add to them. */
export const probeAnswerBytesMax = 16 * 1024;

const statusLine = /^HTTP\/1\.([01]) (\d{3})(?: |\r\n)/;
const fields = /\r\n(content-length|transfer-encoding|connection):[\t ]*([^\r]*)/gi;
const nothing = Buffer.alloc(0);

/**
 * Reads the answer to one GET of what has come so far (RFC 9112 §6.3). Of other answers than 200 only the status counts.
 *
 * @param isEnded nothing more will come.
 * @returns `more`: it is not whole yet; `garbage`: it is no answer, or too long for one.
 */
export function readProbeAnswer(bytes: Buffer, isEnded: boolean): ProbeAnswer | 'more' | 'garbage' {
  const unfinished = isEnded || bytes.length > probeAnswerBytesMax ? 'garbage' : 'more';
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return unfinished;
  const head = bytes.toString('latin1', 0, headEnd + 2);
  const [, minor, code] = statusLine.exec(head) ?? [];
  if (code === undefined) return 'garbage';
  const status = Number(code);
  if (status !== 200) return { status, body: nothing, keeps: false };
  const found = new Map<string, string>();
  for (const [, name = '', value = ''] of head.matchAll(fields))
    found.set(name.toLowerCase(), value.trimEnd().toLowerCase());
  const from = headEnd + 4;
  const read = readBody(bytes.subarray(from), {
    coding: found.get('transfer-encoding'),
    length: found.get('content-length'),
    isEnded,
  });
  if (read === 'more') return unfinished;
  if (read === 'garbage') return 'garbage';
  const isPersistent = minor === '1' && found.get('connection') !== 'close' && !isEnded;
  return { status, body: read.body, keeps: isPersistent && from + read.size === bytes.length };
}

type ReadBody = { readonly body: Buffer; readonly size: number } | 'more' | 'garbage';

function readBody(
  bytes: Buffer,
  { coding, length, isEnded }: { coding: string | undefined; length: string | undefined; isEnded: boolean },
): ReadBody {
  if (coding !== undefined) return coding === 'chunked' ? readChunks(bytes) : 'garbage';
  if (length === undefined) return isEnded ? { body: bytes, size: bytes.length } : 'more';
  if (!/^\d{1,9}$/.test(length)) return 'garbage';
  const size = Number(length);
  return bytes.length < size ? 'more' : { body: bytes.subarray(0, size), size };
}

/** RFC 9112 §7.1. */
function readChunks(bytes: Buffer): ReadBody {
  const chunks: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return 'more';
    const digits = /^[0-9a-f]{1,6}(?=[\t ;]|$)/i.exec(bytes.toString('latin1', at, lineEnd))?.[0];
    if (digits === undefined) return 'garbage';
    const size = Number.parseInt(digits, 16);
    at = lineEnd + 2;
    if (size === 0) {
      // Behind the last chunk there may be fields, which end with an empty line.
      const end = bytes.indexOf('\r\n\r\n', lineEnd);
      return end < 0 ? 'more' : { body: Buffer.concat(chunks), size: end + 4 };
    }
    if (at + size + 2 > bytes.length) return 'more';
    if (bytes.readUInt16BE(at + size) !== CRLF) return 'garbage';
    chunks.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
}

const CRLF = 0x0d0a;
