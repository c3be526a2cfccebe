import fc from 'fast-check';

import type { Conversation } from './conversation.ts';

/** What requests may ask for. */
export interface Targets {
  /** `<file>.<ext>` of files that are held, foreign, unknown or named wrongly. */
  readonly files: readonly string[];
  readonly etags: readonly string[];
  readonly sizes: readonly number[];
}

/** Names of tokens, the good one first; each engine has its own keys, so each has its own tokens by these names. */
export const tokenNames = [
  'good',
  'fill',
  'near',
  'far',
  'expired',
  'foreign',
  'steer',
  'garbage',
  'short',
] as const;

/** A request with the name of its token in angle brackets. */
export type RequestTemplate = string;

function weighted<T>(...entries: readonly (readonly [number, fc.Arbitrary<T>])[]): fc.Arbitrary<T> {
  return fc.oneof(...entries.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

const one = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

function methods(): fc.Arbitrary<string> {
  return weighted(
    [70, one('GET')],
    [18, one('HEAD')],
    [6, one('OPTIONS', 'POST', 'PUT', 'DELETE', 'TRACE')],
    [1, one('get', 'GETX', 'G ET')],
  );
}

function targets({ files }: Targets): fc.Arbitrary<string> {
  const tokens = weighted<string>([80, one('good')], [20, one(...tokenNames)]);
  const names = weighted([70, one(files[0] ?? '')], [30, one(...files)]);
  const query = weighted(
    [70, one('')],
    [15, one('?CMCD=br%3D3200%2Cbs%2Cot%3Dv', '?a=b', '?', '?x=1&CMCD=bl%3D100')],
    [5, fc.string({ maxLength: 20 }).map((text) => `?${encodeURIComponent(text)}`)],
  );
  const path = fc.tuple(tokens, names, query).map(([token, name, rest]) => `/v1/<${token}>/${name}${rest}`);
  const twisted = path.chain((text) =>
    one(
      `http://box${text}`,
      `HTTPS://box:443${text}`,
      text.replace('/v1', '/v1/'),
      text.replace('/v1', '/V1'),
      text.replace('.', '%2e'),
      `${text}/`,
      `/x/..${text}`,
      `${text}#part`,
      text.toUpperCase(),
      '/healthz',
      '/metrics',
      '/',
      '*',
      '/v1/<good>/',
      `//box${text}`,
    ),
  );
  return weighted([88, path], [12, twisted]);
}

function ranges({ sizes }: Targets): fc.Arbitrary<string> {
  const at = weighted(
    [40, fc.nat(100)],
    [40, fc.nat(sizes[0] ?? 1)],
    [20, one(...sizes.flatMap((size) => [size - 1, size, size + 1]), 2 ** 31, 2 ** 53)],
  ).map(Math.abs);
  const pairs = fc.tuple(at, at).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
  return weighted(
    [50, pairs.map((pair) => `bytes=${pair}`)],
    [15, at.map((from) => `bytes=${from}-`)],
    [15, at.map((last) => `bytes=-${last}`)],
    [5, fc.array(pairs, { minLength: 2, maxLength: 5 }).map((list) => `bytes=${list.join(',')}`)],
    [
      15,
      one(
        'bytes=5-2',
        'bytes=-',
        'bytes=',
        'bytes',
        '',
        'Bytes=0-1',
        'bytes = 0-1',
        'bytes= 0-1',
        'bytes=0 - 1',
        'items=0-1',
        'bytes=0-99999999999999999999',
        'bytes=99999999999999999999-',
        'bytes=-99999999999999999999',
        'bytes=000000000000000000001-3',
        'bytes=0-1, 3-4',
        'bytes=0x0-1',
        'bytes=0-1;q=1',
      ),
    ],
  );
}

function conditions({ etags }: Targets): fc.Arbitrary<string> {
  const tag = weighted(
    [60, one(...etags)],
    [20, one(...etags).map((each) => `W/${each}`)],
    [20, one('"x"', '*', 'x', '""', '')],
  );
  const tags = weighted(
    [80, tag],
    [20, fc.array(tag, { minLength: 2, maxLength: 3 }).map((list) => list.join(', '))],
  );
  const date = one('Sat, 21 Nov 2015 10:00:00 GMT', 'Thu, 21 Nov 2199 10:00:00 GMT', 'yesterday', '0');
  return fc.oneof(
    tags.map((value) => `If-None-Match: ${value}`),
    tags.map((value) => `If-Match: ${value}`),
    fc.oneof(tag, date).map((value) => `If-Range: ${value}`),
    date.map((value) => `If-Modified-Since: ${value}`),
    date.map((value) => `If-Unmodified-Since: ${value}`),
  );
}

function otherHeaders(): fc.Arbitrary<string> {
  return one(
    'Accept: */*',
    'User-Agent: \xe9t\xe9',
    'X-Long: ' + 'y'.repeat(3000),
    'CMCD-Object: br=3200,d=4000',
    'CMCD-Request: bl=1200,nor="next"',
    'CMCD-Session: sid="6e2fb550-c457-11e9-bb97-0800200c9a66"',
    'CMCD-Status: bs',
    'CONNECTION: Keep-Alive',
    'Connection: keep-alive, x',
    'Origin: https://viewer.example',
    'Accept-Encoding: gzip, br',
    'Content-Length: 0',
    'X-Empty:',
    'X-Tab:\ta\tb\t',
    'Via: 1.1 cache',
  );
}

/** What makes a head one that RFC 9112 refuses, or that means something else than it seems to. */
function twistedHeaders(): fc.Arbitrary<string> {
  return one(
    'Host: other',
    'X-Folded: a\r\n b',
    'X-Space : a',
    ': nameless',
    'no colon',
    'X-Nul: a\0b',
    'X-Cr: a\rb',
    'X-Lf: a\nX-Next: b',
    'X-Control: \x01',
    'X-Del: \x7f',
    'X\xe9: high',
    'Content-Length: 3\r\nContent-Length: 4',
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding: xchunked',
    'Content-Length: -1',
    'Content-Length: 0x10',
    'Content-Length: +3',
    'Content-Length: 99999999999999999999',
    'Expect: 100-continue',
    'Expect: the unexpected',
    'Upgrade: websocket\r\nConnection: Upgrade',
    'Proxy-Connection: close',
    'Trailer: x',
    'Range: bytes=0-1\r\nRange: bytes=2-3',
  );
}

function requests(targets_: Targets): fc.Arbitrary<RequestTemplate> {
  const maybe = (percent: number, header: fc.Arbitrary<string>) =>
    weighted([percent, header], [100 - percent, one('')]);
  return fc
    .record({
      method: methods(),
      target: targets(targets_),
      version: weighted(
        [96, one('HTTP/1.1')],
        [4, one('HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTX/1.1', 'http/1.1', '')],
      ),
      host: weighted([96, one('Host: box')], [4, one('', 'host:box:80', 'Host:', 'Host: a b')]),
      range: maybe(
        60,
        ranges(targets_).map((value) => `Range: ${value}`),
      ),
      condition: maybe(20, conditions(targets_)),
      other: maybe(30, otherHeaders()),
      twisted: maybe(7, twistedHeaders()),
      close: maybe(6, one('Connection: close', 'connection: Close')),
      lineEnd: weighted([99, one('\r\n')], [1, one('\n')]),
    })
    .map(({ method, target, version, lineEnd, ...headers }) => {
      const { host, range, condition, other, twisted, close } = headers;
      const lines = [
        `${method} ${target} ${version}`.trimEnd(),
        host,
        range,
        condition,
        other,
        twisted,
        close,
      ];
      return (
        lines
          .filter((line) => line !== '')
          .map((line) => line + lineEnd)
          .join('') + lineEnd
      );
    });
}

/** A conversation before its tokens are filled in. */
export interface ConversationTemplate {
  readonly text: string;
  /** Where it is cut, as shares of its length. */
  readonly cuts: readonly number[];
  readonly ends: boolean;
}

/**
 * Random conversations: one to five requests, pipelined, cut anywhere. Unless the client ends it, the last request asks
 * for the connection to be closed, so that every server that understood it all the same closes in the end.
 */
export function conversations(targets_: Targets): fc.Arbitrary<ConversationTemplate> {
  const last = 'GET /healthz HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n';
  return fc
    .record({
      requests: fc.array(requests(targets_), { minLength: 1, maxLength: 5 }),
      cuts: weighted(
        [50, fc.constant<number[]>([])],
        [45, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 })],
        [5, fc.constant(Array.from({ length: 40 }, (_, index) => index / 40))],
      ),
      ends: fc.boolean(),
      truncated: weighted([95, fc.constant(undefined)], [5, fc.double({ min: 0, max: 1, noNaN: true })]),
    })
    .map(({ requests: each, cuts, ends, truncated }) => {
      const text = each.join('');
      // What stays unfinished needs an end, or the server waits for the rest.
      if (truncated !== undefined)
        return { text: text.slice(0, Math.ceil(text.length * truncated)), cuts, ends: true };
      return { text: ends ? text : text + last, cuts, ends };
    });
}

/** The conversation with these tokens. */
export function fillIn(
  { text, cuts, ends }: ConversationTemplate,
  tokens: Readonly<Record<string, string>>,
): Conversation {
  const bytes = Buffer.from(
    text.replace(/<(\w+)>/g, (whole, name: string) => tokens[name.toLowerCase()] ?? whole),
    'latin1',
  );
  const ats = [...new Set(cuts.map((share) => Math.floor(share * bytes.length)))].sort((a, b) => a - b);
  const edges = [0, ...ats.filter((at) => at > 0 && at < bytes.length), bytes.length];
  const pieces = edges.slice(1).map((end, index) => bytes.subarray(edges[index] ?? 0, end));
  return { pieces: pieces.filter((piece) => piece.length > 0), ends };
}
