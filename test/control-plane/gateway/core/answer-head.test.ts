import t from 'tap';
import { readAnswerHead } from '../../../../control-plane/gateway/core/answer-head.ts';

const read = (lines: string, method = 'GET') => readAnswerHead(`HTTP/1.1 ${lines}\r\n\r\n`, method);

t.test('a head as services send it', (t) => {
  const lines = [
    ...[
      '200 OK',
      'Content-Type: text/plain',
      'Set-Cookie:\t a=1 ',
      'set-cookie: b=2',
      'Empty:',
      'X: \xa0\xe9',
    ],
    ...['Content-Length: 5', 'Connection: keep-alive, X-Hop', 'x-hop: 1', 'Keep-Alive: timeout=5, max=9'],
    ...['X-Request-Id: theirs', 'TE: trailers'],
  ];
  t.strictSame(read(lines.join('\r\n')), {
    status: 200,
    body: { kind: 'length', bytes: 5 },
    fields: [
      ...[
        'content-type',
        'text/plain',
        'set-cookie',
        'a=1',
        'set-cookie',
        'b=2',
        'empty',
        '',
        'x',
        '\xa0\xe9',
      ],
      ...['content-length', '5'],
    ],
    keepMs: 5000,
  });
  t.end();
});

t.test('where an answer ends, and whether another may follow', (t) => {
  for (const [lines, method, kind, keepMs] of [
    ['200 OK\r\nContent-Length: 0', 'GET', 'none', undefined],
    ['200 OK\r\nContent-Length: 5', 'HEAD', 'none', 0],
    ['204 No Content', 'GET', 'none', undefined],
    ['204 No Content\r\nContent-Length: 0', 'GET', 'none', undefined],
    ['204 No Content\r\nContent-Length: 5', 'GET', 'none', 0],
    ['204 No Content\r\nTransfer-Encoding: chunked', 'GET', 'none', 0],
    ['304 Not Modified\r\nTransfer-Encoding: chunked', 'GET', 'none', 0],
    ['304 Not Modified\r\nContent-Length: 5', 'GET', 'none', undefined],
    ['200 OK\r\nTransfer-Encoding: Chunked', 'GET', 'chunks', undefined],
    ['200 OK\r\nTransfer-Encoding: chunked', 'HEAD', 'none', 0],
    ['200 OK', 'GET', 'close', 0],
    ['200', 'GET', 'close', 0],
    ['200 OK\r\nContent-Length: 1\r\nConnection: a\r\nConnection: Close', 'GET', 'length', 0],
    ['200 OK\r\nContent-Length: 1\r\nKeep-Alive: timeout=0', 'GET', 'length', 0],
    ['200 OK\r\nContent-Length: 1\r\nConnection: Content-Length', 'GET', 'length', undefined],
  ] as const)
    t.match(read(lines, method), { body: { kind }, keepMs }, lines);
  t.strictSame(
    read('204 No Content\r\nContent-Length: 5\r\nA: b')?.fields,
    ['a', 'b'],
    'a 204 has no length',
  );
  t.match(readAnswerHead('HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n', 'GET'), { keepMs: 0 });
  t.end();
});

t.test('what is no head, or could be read in two ways, is none', (t) => {
  for (const lines of [
    '200 OK\r\nContent-Length: 1\r\nContent-Length: 1',
    '200 OK\r\nContent-Length: 1, 1',
    '200 OK\r\nContent-Length: +1',
    '200 OK\r\nContent-Length: 0x1',
    '200 OK\r\nContent-Length:',
    '304 Not Modified\r\nContent-Length: -1',
    `200 OK\r\nContent-Length: ${'9'.repeat(16)}`,
    '200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked',
    '200 OK\r\nTransfer-Encoding: gzip, chunked',
    '200 OK\r\nTransfer-Encoding: identity',
    '200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
    '200 OK\r\nTransfer-Encoding : chunked',
    '200 OK\r\nA: b\r\n c',
    '200 OK\r\nA: b\nB: c',
    '200 OK\r\nA: b\rB: c',
    '200 OK\r\nA: \0',
    '200 OK\r\nA',
    '200 OK\r\n: b',
    '20 OK',
    '2000 OK',
    '600 OK',
    '000 OK',
    ' 200 OK',
    '200 O\0K',
  ])
    t.equal(read(lines), undefined, JSON.stringify(lines));
  for (const text of [
    'HTTP/2 200 OK\r\n\r\n',
    'HTTP/1.2 200 OK\r\n\r\n',
    'http/1.1 200 OK\r\n\r\n',
    '\r\n\r\n',
  ])
    t.equal(readAnswerHead(text, 'GET'), undefined, JSON.stringify(text));
  t.end();
});
