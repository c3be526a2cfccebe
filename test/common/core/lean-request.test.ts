import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { leanFields, readLeanPost, readLeanRequest } from '../../../common/core/lean-request.ts';

const read = (text: string) => readLeanRequest(Buffer.from(text, 'latin1'));
const readPost = (text: string) => readLeanPost(Buffer.from(text, 'latin1'));

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

t.test('a POST of some JSON, all of it there', (t) => {
  const head = 'POST /v1/a?b HTTP/1.1\r\nHost: a\r\n';
  const json = 'content-type: application/json\r\n';
  const whole = { url: '/v1/a?b', headers: { host: 'a', 'x-forwarded-for': undefined } };
  for (const more of ['', json, 'Content-Type: Application/JSON;charset=utf-8\r\n'])
    t.strictSame(readPost(`${head}${more}Content-Length: 5\r\n\r\nh\r\n\r\n`), {
      ...whole,
      body: Buffer.from('h\r\n\r\n'),
    });
  const others = {
    nothing: '',
    'no length': `${head}${json}\r\n`,
    'no body': `${head}${json}Content-Length: 0\r\n\r\n`,
    'a part of it': `${head}${json}Content-Length: 3\r\n\r\n{}`,
    'more behind it': `${head}${json}Content-Length: 2\r\n\r\n{} `,
    'another one behind it': `${head}${json}Content-Length: 2\r\n\r\n{}`.repeat(2),
    'two lengths': `${head}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`,
    'a list of lengths': `${head}Content-Length: 2, 2\r\n\r\n{}`,
    'a zero before it': `${head}Content-Length: 02\r\n\r\n{}`,
    'a sign before it': `${head}Content-Length: +2\r\n\r\n{}`,
    'a length in sixteens': `${head}Content-Length: 0x2\r\n\r\n{}`,
    'in chunks': `${head}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}`,
    'an encoding': `${head}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}`,
    'another type': `${head}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}`,
    'two types': `${head}${json}${json}Content-Length: 2\r\n\r\n{}`,
    'it expects': `${head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
    'it closes': `${head}Connection: close\r\nContent-Length: 2\r\n\r\n{}`,
    'its length is for one connection': `${head}Connection: content-length\r\nContent-Length: 2\r\n\r\n{}`,
    'too much': `${head}Content-Length: 16385\r\n\r\n${' '.repeat(16_385)}`,
    'a head that is too long': `${head}A: ${'b'.repeat(8192)}\r\nContent-Length: 2\r\n\r\n{}`,
    'another method': `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}`,
    'a GET': 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  };
  for (const [what, text] of Object.entries(others)) t.equal(readPost(text), undefined, what);
  t.equal(readPost(`${head}Content-Length: 16384\r\n\r\n${' '.repeat(16_384)}`)?.body.length, 16_384);
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
const bodies = ['{}', '', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', '0\r\n\r\n'];
const startArb = fc.oneof(
  fc.constantFrom('/', '/a?b="c"', '/~!$&(é').map((path) => ({ line: `GET ${path}`, body: '', length: '' })),
  fc
    .tuple(fc.constantFrom(...bodies), fc.constantFrom(0, 0, 0, 1, -1))
    .map(([body, off]) => ({ line: 'POST /a', body, length: `Content-Length: ${body.length + off}\r\n` })),
);
const requestArb = fc
  .tuple(startArb, linesArb, fc.array(fc.tuple(fc.nat(200), fc.constantFrom(...pieces)), { maxLength: 1 }))
  .map(([{ line, body, length }, lines, changes]) =>
    changes.reduce(
      (text, [at, piece]) => text.slice(0, at % text.length) + piece + text.slice(at % text.length),
      `${line} HTTP/1.1\r\nHost: a\r\n${lines}${length}\r\n${body}`,
    ),
  );

t.test('what it reads, Node’s own parser reads alike', async (t) => {
  let seen: { request: IncomingMessage; body: string }[] = [];
  const server = createServer((request, response) => {
    const one = { request, body: '' };
    seen.push(one);
    request.setEncoding('latin1').on('data', (part) => (one.body += String(part)));
    request.once('end', () => response.end());
  }).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const compared = { GET: 0, POST: 0 };
  await fc.assert(
    fc.asyncProperty(requestArb, async (text) => {
      const post = readPost(text);
      const lean = post ?? read(text);
      if (lean === undefined) return;
      const method = post === undefined ? 'GET' : 'POST';
      compared[method]++;
      seen = [];
      const socket = connect(port, '127.0.0.1');
      socket.end(Buffer.from(text, 'latin1'));
      socket.resume();
      await once(socket, 'close');
      const [{ request, body } = { request: undefined, body: '' }] = seen;
      t.equal(seen.length, 1, JSON.stringify(text));
      t.equal(request?.method, method);
      t.equal(post?.body.toString('latin1') ?? '', body, 'with the same body, and nothing behind it');
      const { url, headers } = lean;
      t.strictSame(
        { url, headers },
        {
          url: request?.url,
          headers: { host: request?.headers.host, 'x-forwarded-for': request?.headers['x-forwarded-for'] },
        },
      );
      t.strictSame(leanFields(Buffer.from(text, 'latin1')), request?.rawHeaders);
    }),
    { numRuns: 5000 },
  );
  t.ok(compared.GET > 100 && compared.POST > 100, `${compared.GET} and ${compared.POST} were read`);
});
