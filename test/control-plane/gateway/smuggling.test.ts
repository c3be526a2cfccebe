import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import t, { type Test } from 'tap';

import { startPlane } from '../support/control-plane.ts';
import { ok, startService } from '../support/raw-service.ts';

/** What was asked: method, path and body, as whoever read it says. A body of a GET or HEAD means nothing (RFC 9110 §9.3.1), and stays behind. */
type Asked = string;

const nameOf = (method = '', path = '', body: Buffer | string = ''): Asked =>
  `${method} ${path} ${method === 'GET' || method === 'HEAD' ? '' : body.toString('latin1')}`;

const requestLine = fc.constantFrom(
  ...[
    'GET /v1/billing/a',
    'GET /v1/billing/a?b=%0d%0a',
    'POST /v1/billing/b',
    'DELETE /v1/billing/c',
    'HEAD /v1/billing/d',
  ],
);
const field = fc.constantFrom(
  ...[
    'Host: a',
    'Host: b',
    'A: b',
    'A:\x0bb',
    'A: b\rC: d',
    ' A: b',
    'A : b',
    'Origin: https://a.test',
    'Connection: close',
  ],
  ...[
    'Content-Length: 5',
    'Content-Length: 0',
    'Content-Length: 05',
    'Content-Length: 5, 5',
    'Content-Length:+5',
    'content-length: 42',
    'Content-Type: application/json',
    'Content-Type: text/plain',
    'Content-Encoding: gzip',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding:\tchunked',
    'Transfer-Encoding: xchunked',
  ],
  ...[
    'Transfer-Encoding : chunked',
    'Connection: Transfer-Encoding',
    'Connection: Content-Length',
    'Upgrade: h2c',
    'Expect: 100-continue',
  ],
);
const evil = 'GET /v1/billing/evil HTTP/1.1\r\nHost: a\r\n\r\n';
const rest = fc.constantFrom(
  ...[
    '',
    'hello',
    evil,
    `hello${evil}`,
    `0\r\n\r\n${evil}`,
    `5\r\nhello\r\n0\r\n\r\n${evil}`,
    `2a\r\n${evil}\r\n0\r\n\r\n`,
  ],
  ...[
    `5;a\r\nhello\r\n0\r\nA: b\r\n\r\n`,
    `5\nhello\r\n0\r\n\r\n${evil}`,
    `0\r\nContent-Length: 42\r\n\r\n${evil}`,
    `\r\n${evil}`,
  ],
);
const sent = fc
  .tuple(requestLine, fc.constantFrom('1.1', '1.1', '1.1', '1.0'), fc.array(field, { maxLength: 3 }), rest)
  .map(([line, version, fields, body]) =>
    [`${line} HTTP/${version}`, 'Host: a', ...fields, '', body].join('\r\n'),
  );

/** A server of Node's that says what it was asked. */
async function startNode(t: Test): Promise<{ port: number; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const { method, url } = request;
    // What needs no body is made with its head.
    if (method === 'GET' || method === 'HEAD') asked.push(nameOf(method, url));
    void buffer(request).then(
      (body) => {
        if (method !== 'GET' && method !== 'HEAD') asked.push(nameOf(method, url, body));
        response.end();
      },
      () => undefined,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, port: (server.address() as AddressInfo).port };
}

/** Sends bytes in pieces, ends once so many answers have come, and waits until the connection is closed. */
async function say(port: number, pieces: readonly string[], answers: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  let text = '';
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const answered = new Promise<void>((resolve) => {
    const look = (): void => {
      // An interim answer is none.
      if ((text.match(/HTTP\/1\.1 [2-5]/g)?.length ?? 0) >= answers) resolve();
    };
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
      look();
    });
    look();
  });
  socket.on('error', () => undefined);
  for (const piece of pieces) {
    socket.write(piece, 'latin1');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.race([closed, answered]);
  socket.end();
  await closed;
}

t.test('no request reaches a service that nobody has made', async (t) => {
  const lab = await startService(t, (socket) => socket.write(ok('')));
  const node = await startNode(t);
  const plane = await startPlane(t, {
    flags: [
      ...['--gateway-upstreams', `/v1/billing=http://127.0.0.1:${lab.port}`],
      ...['--gateway-browse-per-second', '100000', '--gateway-address-per-second', '100000'],
    ],
  });
  const port = Number(new URL(plane.url).port);
  let passed = 0;
  await fc.assert(
    fc.asyncProperty(sent, fc.nat(200), async (text, cut) => {
      const pieces = [text.slice(0, cut), text.slice(cut)].filter((piece) => piece !== '');
      lab.asked.length = 0;
      node.asked.length = 0;
      await say(node.port, pieces, 0);
      await say(port, pieces, node.asked.length);
      const reached = lab.asked.map(({ head, body }) =>
        nameOf(...(head.split(' ', 2) as [string, string]), body),
      );
      passed += reached.length;
      const made = [...node.asked];
      const unmade = reached.filter((one) => {
        const at = made.indexOf(one);
        if (at !== -1) made.splice(at, 1);
        return at === -1;
      });
      t.same(unmade, [], JSON.stringify(text));
      t.notOk(lab.asked.some(({ head }) => /transfer-encoding|expect|upgrade/i.test(head)));
    }),
    { numRuns: 300 },
  );
  t.ok(passed > 50, `${passed} went on`);
});
