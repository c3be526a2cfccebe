import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { OpenFront } from '../../common/runtime/fronted-server.ts';
import { createHttpServer, type HttpServer } from '../../common/runtime/http-server.ts';
import { createSilentLog } from '../../common/runtime/log.ts';
import { createMetrics } from '../../common/runtime/metrics.ts';

const headers = { 'content-type': 'text/plain', 'cache-control': 'no-store' };

/** A server, behind a front of its own unless one is given, that answers `/lean/…` with what it was told of the request, before the framework and in it. */
export async function startLeanServer(
  t: Test,
  openFront?: OpenFront,
  limits: { readonly connectionsMax?: number } = {},
): Promise<{ server: HttpServer; port: number }> {
  const server = await createHttpServer({
    name: 'test',
    version: '1',
    log: createSilentLog(),
    metrics: createMetrics({ name: 'test', version: '1' }),
    credentials: {},
    openFront,
    limits,
  });
  server.app.route({
    method: ['GET', 'POST'],
    url: '/lean/:id',
    config: { credential: ['none'] },
    handler: () => 'framework',
  });
  server.before('/lean/:id', ({ url, headers: { host, 'x-forwarded-for': forwarded }, socket }) =>
    url.startsWith('/lean/') && socket.remoteAddress === '127.0.0.1'
      ? { headers, body: `${url} ${host} ${String(forwarded)} é` }
      : undefined,
  );
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => server.stop());
  return { server, port: Number(new URL(url).port) };
}

/** A connection, and what comes on it until so many answers are whole. */
export async function dial(t: Test, port: number, { allowHalfOpen = false } = {}) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen });
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  let text = '';
  let wake: (() => void) | undefined;
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    wake?.();
  });
  const answers = async (count: number): Promise<string[]> => {
    for (;;) {
      const found = wholeAnswers(text);
      if (found.length >= count) return found;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { socket, answers };
}

function wholeAnswers(text: string): string[] {
  const found: string[] = [];
  for (let rest = Buffer.from(text); ;) {
    const end = rest.indexOf('\r\n\r\n');
    const size = Number(/content-length: (\d+)/i.exec(rest.toString('latin1', 0, end))?.[1]);
    if (end < 0 || rest.length < end + 4 + size) return found;
    found.push(rest.toString('utf8', 0, end + 4 + size));
    rest = rest.subarray(end + 4 + size);
  }
}

export const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`;

/** Resolves when the other side has ended the connection, however. */
async function ended(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close');
}

/** What every front does, beside the HTTP server behind it. */
export function testLeanFront(openFront?: OpenFront): void {
  t.test('plain requests are answered one after the other, with the head of any answer', async (t) => {
    const { port } = await startLeanServer(t, openFront);
    const { socket, answers } = await dial(t, port);
    socket.write(get('/lean/1', 'X-Forwarded-For: 192.0.2.1\r\nx-forwarded-for:192.0.2.2 \r\n'));
    const [first = ''] = await answers(1);
    t.match(
      first,
      /^HTTP\/1\.1 200 OK\r\ncontent-type: text\/plain\r\ncache-control: no-store\r\nDate: \w{3}, \d\d /,
    );
    t.match(first, /\r\nConnection: keep-alive\r\nKeep-Alive: timeout=30\r\nContent-Length: 38\r\n\r\n/);
    t.match(first, /\r\n\r\n\/lean\/1 a\.test 192\.0\.2\.1, 192\.0\.2\.2 é$/);
    socket.write(get('/lean/2'));
    t.match((await answers(2))[1], /\/lean\/2 a\.test undefined é$/);
  });

  t.test('whatever else comes is the HTTP server’s, and the connection with it', async (t) => {
    const { port } = await startLeanServer(t, openFront);
    const { socket, answers } = await dial(t, port);
    socket.write(get('/lean/1'));
    await answers(1);
    socket.write(
      'POST /lean/2 HTTP/1.1\r\nHost: a.test\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
    );
    t.match((await answers(2))[1], /\r\n\r\nframework$/);
    socket.write(get('/lean/3'));
    t.match((await answers(3))[2], /\/lean\/3 a\.test undefined é$/, 'the same answer, by the other way');
  });

  t.test('requests in parts, or several at once, are answered in their order', async (t) => {
    const { port } = await startLeanServer(t, openFront);
    for (const cut of [1, 10, 30]) {
      const { socket, answers } = await dial(t, port);
      const text = get('/lean/1');
      socket.write(text.slice(0, cut));
      // The part has come once another connection's request, sent after it, is answered.
      const other = await dial(t, port);
      other.socket.write(get('/lean/9'));
      await other.answers(1);
      socket.write(text.slice(cut));
      t.match((await answers(1))[0], /\/lean\/1 a\.test/);
    }
    const { socket, answers } = await dial(t, port);
    socket.write(get('/lean/1') + get('/healthz') + get('/lean/2'));
    const [first, second, third] = await answers(3);
    t.match(first, /\/lean\/1 a\.test/);
    t.match(second, /"status":"ok"/);
    t.match(third, /\/lean\/2 a\.test/);
  });

  t.test('what is no HTTP is refused as ever', async (t) => {
    const { port } = await startLeanServer(t, openFront);
    for (const junk of ['GET /lean/1 HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n', '\0\0\0', 'GETS /\r\n\r\n']) {
      const { socket, answers } = await dial(t, port);
      socket.write(junk);
      t.match((await answers(1))[0], /^HTTP\/1\.1 400 /, JSON.stringify(junk));
    }
  });

  t.test('a player that closes its side is let go', async (t) => {
    const { port } = await startLeanServer(t, openFront);
    const { socket, answers } = await dial(t, port);
    socket.end(get('/lean/1'));
    t.match((await answers(1))[0], /\/lean\/1 a\.test/);
    await ended(socket);
  });

  t.test('draining ends connections that have no request', async (t) => {
    const { server, port } = await startLeanServer(t, openFront);
    const asked = await dial(t, port);
    asked.socket.write(get('/lean/1'));
    await asked.answers(1);
    const silent = await dial(t, port);
    const halfOpen = await dial(t, port, { allowHalfOpen: true });
    halfOpen.socket.write(get('/lean/2'));
    await halfOpen.answers(1);
    const other = await dial(t, port);
    other.socket.write(get('/healthz'));
    await other.answers(1);
    await server.drain();
    await Promise.all([asked, silent, other].map(({ socket }) => ended(socket)));
  });
}
