/** The head of an answer over HTTP/1.1. */
export interface AnswerHead {
  readonly status: number;
  /** By names in lower case; of several of a name the last. */
  readonly headers: ReadonlyMap<string, string>;
  /** Undefined where the body ends with the connection, or comes in pieces of which nobody says how many. */
  readonly lengthBytes: number | undefined;
  /** Whether the connection may be used again once the body is over. */
  readonly isKept: boolean;
}

const statusLine = /^HTTP\/1\.([01]) (\d{3})(?: |$)/;
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;

/**
 * Reads the head of an answer, without the empty line at its end. Stricter than RFC 9112: lines end in CRLF, no header is folded,
 * and a length is told once. Undefined for what is none.
 */
export function parseAnswerHead(text: string): AnswerHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const status = statusLine.exec(first);
  if (status === null) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value = ''] = headerLine.exec(line) ?? [];
    const key = name?.toLowerCase();
    if (key === undefined || (key === 'content-length' && headers.has(key))) return undefined;
    headers.set(key, value);
  }
  const length = headers.get('content-length');
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return undefined;
  // RFC 9112 §6.3: a transfer coding wins over a length.
  const isMeasured = length !== undefined && !headers.has('transfer-encoding');
  return {
    status: Number(status[2]),
    headers,
    lengthBytes: isMeasured ? Number(length) : undefined,
    isKept: status[1] === '1' && isMeasured && !/\bclose\b/i.test(headers.get('connection') ?? ''),
  };
}
