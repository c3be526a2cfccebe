import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { leanFields, readLeanRequest } from '../../../common/core/lean-request.ts';

const read = (text: string) => readLeanRequest(Buffer.from(text, 'latin1'));

t.test('a plain GET, as browsers and players send it', (t) => {
  const text =
    'GET /v1/steer/abc?_HLS_pathway=%22a%22 HTTP/1.1\r\nhost: a.test:8080 \r\nUser-Agent: x/1 (y; z)\r\n' +
    'Connection: Keep-Alive\r\nX-FORWARDED-FOR: 192.0.2.1\r\nAccept-Encoding:\r\nX-Forwarded-For: ::1\r\n\r\n';
  t.strictSame(read(text), {
    url: '/v1/steer/abc?_HLS_pathway=%22a%22',
    headers: { host: 'a.test:8080', 'x-forwarded-for': '192.0.2.1, ::1' },
  });
  t.end();
});

t.test('what is not one whole plain GET is left alone', (t) => {
  const line = 'GET / HTTP/1.1\r\n';
  const host = 'Host: a\r\n';
  const others = {
    nothing: '',
    'no end': `${line}${host}`,
    'more behind it': `${line}${host}\r\nG`,
    'two of them': `${line}${host}\r\n`.repeat(2),
    'another method': `HEAD / HTTP/1.1\r\n${host}\r\n`,
    'another version': `GET / HTTP/1.0\r\n${host}\r\n`,
    'the whole URL': `GET http://a/ HTTP/1.1\r\n${host}\r\n`,
    'a fragment': `GET /#a HTTP/1.1\r\n${host}\r\n`,
    'a space in the path': `GET /a b HTTP/1.1\r\n${host}\r\n`,
    'no host': `${line}Accept: a\r\n\r\n`,
    'two hosts': `${line}${host}${host}\r\n`,
    'a body': `${line}${host}Content-Length: 0\r\n\r\n`,
    'a body in chunks': `${line}${host}transfer-encoding: chunked\r\n\r\n`,
    'it closes': `${line}${host}Connection: close\r\n\r\n`,
    'it upgrades': `${line}${host}Upgrade: h2c\r\n\r\n`,
    'it expects': `${line}${host}Expect: 100-continue\r\n\r\n`,
    'a folded line': `${line}${host}A: b\r\n c\r\n\r\n`,
    'a space before the colon': `${line}${host}A : b\r\n\r\n`,
    'a bare line feed': `${line}${host}A: b\nB: c\r\n\r\n`,
    'a bare carriage return': `${line}${host}A: b\rB: c\r\n\r\n`,
    'much more than a player sends': `${line}${host}A: ${'b'.repeat(8192)}\r\n\r\n`,
    'a zero': `${line}${host}A: \0\r\n\r\n`,
  };
  for (const [what, text] of Object.entries(others)) t.equal(read(text), undefined, what);
  t.end();
});

t.test('fields as they were sent, blanks around their values gone', (t) => {
  const text = 'GET / HTTP/1.1\r\nHost: a\r\nX-Own:\t b: c \t\r\nEmpty:\r\nx-own:\xa0d\xa0\r\n\r\n';
  t.strictSame(leanFields(Buffer.from(text, 'latin1')), [
    ...['Host', 'a', 'X-Own', 'b: c', 'Empty', '', 'x-own', '\xa0d\xa0'],
  ]);
  t.end();
});

const pieces = [
  ...[
    'GET ',
    'POST ',
    '/',
    '/a?b="c"',
    '#',
    ' HTTP/1.1',
    ' HTTP/1.0',
    '\r\n',
    '\r\n\r\n',
    '\n',
    '\r',
    ' ',
    '\t',
    ':',
  ],
  ...[
    'Host: a',
    'host:b ',
    'Connection: keep-alive',
    'Connection: close',
    'Content-Length: 1',
    'X-Forwarded-For: 1.2.3.4',
  ],
  ...['x-forwarded-for:', 'Transfer-Encoding: chunked', 'A: b', 'é', '\x7f', '\0', ',', '('],
];
const linesArb = fc
  .array(fc.constantFrom(...pieces.filter((piece) => piece.includes(':'))), { maxLength: 5 })
  .map((lines) => lines.map((line) => `${line}\r\n`).join(''));
const requestArb = fc
  .tuple(
    fc.constantFrom('/', '/a?b="c"', '/~!$&(é'),
    linesArb,
    fc.array(fc.tuple(fc.nat(200), fc.constantFrom(...pieces)), { maxLength: 1 }),
  )
  .map(([path, lines, changes]) =>
    changes.reduce(
      (text, [at, piece]) => text.slice(0, at % text.length) + piece + text.slice(at % text.length),
      `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`,
    ),
  );

t.test('what it reads, Node’s own parser reads alike', async (t) => {
  let seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    response.end();
  }).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(requestArb, async (text) => {
      const lean = read(text);
      if (lean === undefined) return;
      compared++;
      seen = [];
      const socket = connect(port, '127.0.0.1');
      socket.end(Buffer.from(text, 'latin1'));
      socket.resume();
      await once(socket, 'close');
      const [request] = seen;
      t.equal(seen.length, 1, JSON.stringify(text));
      t.equal(request?.method, 'GET');
      t.strictSame(lean, {
        url: request?.url,
        headers: { host: request?.headers.host, 'x-forwarded-for': request?.headers['x-forwarded-for'] },
      });
      t.strictSame(leanFields(Buffer.from(text, 'latin1')), request?.rawHeaders);
    }),
    { numRuns: 1000 },
  );
  t.ok(compared > 100, `${compared} were read`);
});
