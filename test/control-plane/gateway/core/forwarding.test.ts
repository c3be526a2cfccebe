import t from 'tap';

import { answerFields, mayRepeat, requestHead } from '../../../../control-plane/gateway/core/forwarding.ts';
import { parseUpstreams } from '../../../../control-plane/gateway/core/upstream-table.ts';

t.test('upstreams are read, several of one prefix together', (t) => {
  t.strictSame(
    parseUpstreams([
      '/v1/billing=http://10.0.0.5:7080',
      '/v1/bills=https://[::1]',
      '/v1/billing=http://b:80',
    ]),
    [
      { prefix: '/v1/billing', origins: ['http://10.0.0.5:7080', 'http://b'] },
      { prefix: '/v1/bills', origins: ['https://[::1]'] },
    ],
  );
  for (const wrong of [
    '',
    'x',
    '/=http://a',
    '/v1/=http://a',
    '/v1',
    '/v1=ftp://a',
    '/v1=http://a/path',
    '/v1=http://',
    '/v1=http://a:x',
    '/v1/:id=http://a',
    '/v1/*=http://a',
  ])
    // prettier-ignore
    t.equal(parseUpstreams(['/ok=http://a', wrong]), wrong, JSON.stringify(wrong));
  t.end();
});

t.test('what a client says of its connection and of itself stays behind', (t) => {
  const asker = { address: '192.0.2.7', host: 'api.example', protocol: 'https', requestId: 'r1' };
  const raw = [
    ...[
      'Host',
      'evil.example',
      'Connection',
      'keep-alive, X-Secret',
      'X-Secret',
      '1',
      'Keep-Alive',
      'timeout=5',
    ],
    ...[
      'X-Forwarded-For',
      '127.0.0.1',
      'Forwarded',
      'for=127.0.0.1',
      'X-Request-Id',
      'forged',
      'TE',
      'trailers',
    ],
    ...['Transfer-Encoding', 'chunked', 'Content-Length', '5', 'Upgrade', 'h2c', 'Expect', '100-continue'],
    ...['Authorization', 'Bearer a.b.c', 'Cookie', 'a=1', 'Cookie', 'b=2'],
  ];
  const lines = [
    ...['Authorization: Bearer a.b.c', 'Cookie: a=1', 'Cookie: b=2'],
    ...['host: api.example', 'x-forwarded-for: 192.0.2.7', 'x-forwarded-host: api.example'],
    ...['x-forwarded-proto: https', 'x-request-id: r1'],
  ];
  const asked = { method: 'GET', path: '/a?b=c', rawFields: raw, asker, bodyBytes: undefined };
  t.equal(requestHead(asked), ['GET /a?b=c HTTP/1.1', ...lines, '', ''].join('\r\n'));
  t.equal(
    requestHead({ ...asked, method: 'PUT', bodyBytes: 7 }),
    ['PUT /a?b=c HTTP/1.1', ...lines, 'content-length: 7', '', ''].join('\r\n'),
  );
  t.end();
});

t.test("an answer's fields are the service's, and the gateway's where that says nothing", (t) => {
  const theirs = ['content-type', 'text/plain', 'cache-control', 'max-age=60', 'set-cookie', 'a=1', 'set-cookie', 'b=2']; // prettier-ignore
  const gateways = ['cache-control', 'no-store', 'x-request-id', 'r1'];
  t.strictSame(answerFields(theirs, gateways), ['x-request-id', 'r1', ...theirs]);
  t.end();
});

t.test('what is asked twice: nothing that would be done twice, or be refused because it was done', (t) => {
  const raw = ['X', 'If-Match', 'A', 'b'];
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) t.ok(mayRepeat(method, raw), method);
  for (const method of ['POST', 'PATCH', 'TRACE', 'get', 'LOCK']) t.notOk(mayRepeat(method, []), method);
  for (const name of ['If-Match', 'if-none-match', 'If-Unmodified-Since'])
    for (const [method, isSafe] of [
      ['PUT', false],
      ['DELETE', false],
      ['GET', true],
    ] as const)
      t.equal(mayRepeat(method, [...raw, name, '"1"']), isSafe, `${method} ${name}`);
  t.end();
});

t.test('what an answer varies by is what the service and the gateway say', (t) => {
  t.strictSame(answerFields(['vary', 'accept-language', 'a', 'b'], ['vary', 'Origin', 'a', 'c']), [
    ...['vary', 'Origin', 'vary', 'accept-language', 'a', 'b'],
  ]);
  t.end();
});
