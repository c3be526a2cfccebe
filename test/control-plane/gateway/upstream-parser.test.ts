import fc from 'fast-check';
import t from 'tap';
import { Client } from 'undici';

import { ask, openPool, startService } from '../support/raw-service.ts';

const lines = fc.constantFrom(
  ...[
    'Content-Length: 5',
    'content-length:5',
    'Content-Length: 3',
    'Content-Length: 05',
    'Content-Length: 5,5',
  ],
  ...['Transfer-Encoding: chunked', 'transfer-encoding: Chunked', 'Transfer-Encoding: gzip', 'TE: chunked'],
  ...['Connection: close', 'Connection: keep-alive', 'A: b', 'A:\xe9', 'A : b', ' A: b', 'A: \x01', 'A'],
);
const statusLines = fc.constantFrom(
  ...[
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200',
    'HTTP/1.0 200 OK',
    'HTTP/1.1 204 No',
    'HTTP/1.1 304 No',
    'HTTP/1.1 404 \xe9',
  ],
);
const bodies = fc.constantFrom(
  ...[
    '',
    'hello',
    'hel',
    'hello!',
    '5\r\nhello\r\n0\r\n\r\n',
    '3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n',
  ],
  ...[
    '5\r\nhello\r\n0\r\n',
    '05\r\nhello\r\n0\r\n\r\n',
    '5 \r\nhello\r\n0\r\n\r\n',
    '5\nhello\r\n0\r\n\r\n',
    '6\r\nhello\r\n0\r\n\r\n',
  ],
);
const answers = fc.tuple(
  statusLines,
  fc.array(lines, { maxLength: 3 }),
  bodies,
  fc.constantFrom('\r\n', '\r\n', '\r\n', '\n'),
);

t.test('what it reads, Node’s own parser reads alike', async (t) => {
  let sent: Buffer[] = [];
  const lab = await startService(t, (socket) => {
    for (const piece of sent) socket.write(piece);
    socket.end();
  });
  const pool = openPool(t, lab.port);
  let read = 0;
  await fc.assert(
    fc.asyncProperty(answers, fc.nat(60), async ([status, fields, body, feed], cut) => {
      const bytes = Buffer.from([status, ...fields, '', body].join('\r\n').replace('\r\n', feed), 'latin1');
      sent = [bytes.subarray(0, cut), bytes.subarray(cut)].filter((piece) => piece.length > 0);
      const ours = await ask(pool);
      if (ours.end !== 'answered') return;
      read++;
      const theirs = await asNode(lab.port);
      t.same({ status: ours.status, body: ours.body }, theirs, bytes.toString('latin1'));
    }),
    { numRuns: 400 },
  );
  t.ok(read > 40, `${read} were read`);
});

/** What undici makes of an answer, by Node's own parser. */
async function asNode(port: number): Promise<{ status: number; body: string }> {
  const client = new Client(`http://127.0.0.1:${port}`);
  const read = await new Promise<{ status: number; body: string }>((resolve) => {
    let status = 0;
    let body = '';
    client.dispatch(
      { path: '/', method: 'GET' },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, code) => (status = code),
        onResponseData: (_controller, part) => (body += part.toString('latin1')),
        onResponseEnd: () => resolve({ status, body }),
        onResponseError: (_controller, error) => resolve({ status: 0, body: String(error) }),
      },
    );
  });
  await client.destroy();
  return read;
}
