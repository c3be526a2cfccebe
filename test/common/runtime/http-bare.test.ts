import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { BareRequest } from '../../../common/runtime/http-bare.ts';
import { createHttpServer, type HttpServer } from '../../../common/runtime/http-server.ts';
import type { BareReply } from '../../../common/runtime/bare-reply.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import { dial } from '../../support/dial.ts';

interface Lab {
  readonly server: HttpServer;
  readonly port: number;
  /** Requests that came past the framework, the oldest first. */
  readonly taken: { readonly request: BareRequest; readonly reply: BareReply }[];
}

/** A server whose `/bare/…` is answered by the test, or by the framework where that gets it. */
async function startLab(
  t: Test,
  trustedProxies: readonly string[] = [],
  more: {
    readonly limits?: { readonly keepAliveMs?: number; readonly idleMs?: number };
    readonly cors?: readonly string[];
  } = {},
): Promise<Lab> {
  const { limits = {}, cors = ['*'] } = more;
  const server = await createHttpServer({
    ...{
      name: 'test',
      version: '1',
      log: createSilentLog(),
      credentials: {},
      trustedProxies,
      cors,
      limits,
    },
    metrics: createMetrics({ name: 'test', version: '1' }),
  });
  server.app.route({
    method: ['GET', 'POST'],
    url: '/bare/*',
    config: { credential: ['none'] },
    handler: () => 'framework',
  });
  const taken: Lab['taken'] = [];
  server.bare.take((request, reply) => {
    if (!request.url.startsWith('/bare/')) return false;
    taken.push({ request, reply });
    return true;
  });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => server.stop());
  return { server, taken, port: Number(new URL(url).port) };
}

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`;
const post = (path: string, body: string, more = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;
const waiting = async ({ taken }: Lab, count: number): Promise<void> => {
  while (taken.length < count) await new Promise((resolve) => setImmediate(resolve));
};

const ignore = { drained: (): void => undefined };

/** Answers with a text whose length is told. */
function answer({ request, reply }: Lab['taken'][number], body: string): void {
  reply.begin(200, [...request.fields, 'content-length', String(body.length)]);
  reply.write(Buffer.from(body), ignore);
  reply.end();
}

t.test('a plain GET comes with what is known of it, and is answered later', async (t) => {
  const lab = await startLab(t);
  const { socket, until } = await dial(t, lab.port);
  socket.write(get('/bare/1?a=b', 'X-Own:  x y \r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: b\r\n'));
  await waiting(lab, 1);
  const { request } = lab.taken[0]!;
  t.match(request, { url: '/bare/1?a=b', address: '127.0.0.1', host: 'a.test', protocol: 'http' });
  t.strictSame(request.rawFields.slice(0, 4), ['Host', 'a.test', 'X-Own', 'x y']);
  answer(lab.taken[0]!, 'one');
  const text = await until((all) => all.endsWith('\r\n\r\none'));
  t.match(text, /^HTTP\/1\.1 200 OK\r\ncache-control: no-store\r\n/);
  t.match(text, `\r\nx-request-id: ${request.id}\r\n`);
  t.match(text, /\r\nDate: [^\r]*GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=30\r\n/);
  socket.write(get('/bare/2'));
  await waiting(lab, 2);
  t.not(lab.taken[1]?.request.id, request.id);
  answer(lab.taken[1]!, 'two');
  await until((all) => all.endsWith('two'));
});

t.test('a POST of some JSON comes with it, and others after it on its connection', async (t) => {
  const lab = await startLab(t);
  const { socket, until } = await dial(t, lab.port);
  socket.write(post('/bare/1', '{"a":1}', 'Content-Type: application/json; charset=UTF-8\r\n'));
  await waiting(lab, 1);
  const { request } = lab.taken[0]!;
  t.match(request, { method: 'POST', url: '/bare/1', host: 'a.test' });
  t.equal(request.body?.toString(), '{"a":1}');
  t.strictSame(request.rawFields.slice(-2), ['Content-Type', 'application/json; charset=UTF-8']);
  socket.write(post('/bare/2', '{'));
  answer(lab.taken[0]!, 'one');
  await waiting(lab, 2);
  t.equal(lab.taken[1]?.request.body?.toString(), '{', 'whether it is JSON is for whoever reads it');
  answer(lab.taken[1]!, 'two');
  socket.write(get('/bare/3'));
  await waiting(lab, 3);
  t.match(lab.taken[2]?.request, { method: 'GET', body: null });
  answer(lab.taken[2]!, 'three');
  await until((all) => /one[^]*two[^]*three$/.test(all));
});

t.test(
  'an answer without a body has none, not an empty one in chunks: the next would begin in it',
  async (t) => {
    const lab = await startLab(t);
    const { socket, until } = await dial(t, lab.port);
    for (const [at, status] of [204, 304].entries()) {
      socket.write(get(`/bare/${status}`));
      await waiting(lab, 2 * at + 1);
      const { reply } = lab.taken[2 * at]!;
      reply.begin(status, []);
      reply.end();
      socket.write(get('/bare/next'));
      await waiting(lab, 2 * at + 2);
      answer(lab.taken[2 * at + 1]!, `after ${status}`);
      const text = await until((all) => all.endsWith(`after ${status}`));
      const [, bare = ''] = text.split(`HTTP/1.1 ${status} `);
      t.match(bare, /^[^\r]+\r\n(?:[^\r]+\r\n)+\r\nHTTP\/1\.1 200 OK\r\n/);
      t.notMatch(bare, 'transfer-encoding');
    }
  },
);

t.test('where no page of another origin may call, what browsers say of theirs changes nothing', async (t) => {
  const lab = await startLab(t, [], { cors: [] });
  const { socket } = await dial(t, lab.port);
  socket.write(post('/bare/1', '{}', 'Origin: https://a.test\r\n'));
  await waiting(lab, 1);
  t.notMatch(lab.taken[0]?.request.fields, ['access-control-allow-origin']);
  answer(lab.taken[0]!, 'x');
});

t.test('whatever a filter of the framework would look at is the framework’s', async (t) => {
  const lab = await startLab(t);
  const others = {
    'a body in chunks': 'POST /bare/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a body that is no JSON': post('/bare/1', '{}', 'Content-Type: text/plain\r\n'),
    'a large body': post('/bare/1', ' '.repeat(16_385)),
    'another method': 'HEAD /bare/1 HTTP/1.1\r\nHost: a\r\n\r\n',
    'an origin': get('/bare/1', 'Origin: https://a.test\r\n'),
    'too many parameters': get(`/bare/1?${'a&'.repeat(101)}`),
    'too many fields': get('/bare/1', 'a: b\r\n'.repeat(100)),
    'two at once': get('/bare/1') + get('/bare/2'),
  };
  for (const [what, text] of Object.entries(others)) {
    const { socket, until } = await dial(t, lab.port);
    socket.write(text);
    await until((all) => all.includes('\r\n\r\n'));
    t.strictSame(lab.taken, [], what);
  }
});

t.test('proxies that are trusted say who asks, and how', async (t) => {
  const lab = await startLab(t, ['127.0.0.1', '10.0.0.0/8']);
  const { socket } = await dial(t, lab.port);
  const told =
    'X-Forwarded-For: 192.0.2.9, 192.0.2.1, 10.1.1.1\r\nX-Forwarded-Host: a, b.test\r\nx-forwarded-proto: http,https\r\n';
  socket.write(get('/bare/1', told));
  await waiting(lab, 1);
  t.match(lab.taken[0]?.request, { address: '192.0.2.1', host: 'b.test', protocol: 'https' });
  answer(lab.taken[0]!, 'x');
});

t.test('answers of unknown length, of none, and larger than what the connection takes at once', async (t) => {
  const lab = await startLab(t);
  const { socket, until } = await dial(t, lab.port);
  const next = async (): Promise<Lab['taken'][number]> => {
    const count = lab.taken.length;
    socket.write(get(`/bare/${count}`));
    await waiting(lab, count + 1);
    return lab.taken[count]!;
  };
  const chunked = await next();
  chunked.reply.begin(200, ['x-own', '1', 'x-own', '2']);
  await until((all) => all.endsWith('transfer-encoding: chunked\r\n\r\n'));
  chunked.reply.write(Buffer.from('0123456789abcdef'), ignore);
  chunked.reply.end();
  t.match(await until((all) => all.endsWith('0\r\n\r\n')), /x-own: 1\r\nx-own: 2\r\n[^]*\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n$/); // prettier-ignore
  const bare = await next();
  bare.reply.begin(304, ['etag', '"a"', 'content-length', '7']);
  bare.reply.end();
  await until((all) => /304 Not Modified[^]*etag: "a"[^]*\r\n\r\n$/.test(all));
  const empty = await next();
  empty.reply.begin(404, ['content-length', '0']);
  empty.reply.end();
  await until((all) => /404 Not Found[^]*\r\n\r\n$/.test(all));
  const large = await next();
  const part = Buffer.alloc(1 << 20, 'x');
  const parts = 32;
  large.reply.begin(200, ['content-length', String(parts * part.length)]);
  for (let left = parts; left > 0; left--) {
    const drained = Promise.withResolvers<undefined>();
    if (!large.reply.write(part, { drained: () => drained.resolve(undefined) })) await drained.promise;
  }
  large.reply.end();
  const text = await until((all) => all.length > parts * part.length);
  t.equal(text.slice(text.lastIndexOf('\r\n\r\n') + 4).length, parts * part.length);
});

t.test('of much that comes at once it is told once when more may be written', async (t) => {
  const lab = await startLab(t);
  const { socket, until } = await dial(t, lab.port);
  socket.write(get('/bare/1'));
  await waiting(lab, 1);
  const { reply } = lab.taken[0]!;
  reply.begin(200, []);
  const part = Buffer.alloc(1 << 20, 'x');
  let drains = 0;
  const drained = (): void => {
    drains++;
    reply.end();
  };
  for (let left = 16; left > 0; left--) reply.write(part, { drained });
  await until((all) => all.endsWith('\r\n0\r\n\r\n'));
  t.equal(drains, 1);
});

t.test('an answer that moves is not cut, however often it pauses', async (t) => {
  const limits = { keepAliveMs: 400, idleMs: 2400 };
  const lab = await startLab(t, [], { limits });
  const { socket, until } = await dial(t, lab.port);
  socket.write(get('/bare/1'));
  await waiting(lab, 1);
  const { reply } = lab.taken[0]!;
  reply.begin(200, ['content-length', '8']);
  for (let part = 0; part < 8; part++) {
    reply.write(Buffer.from(String(part)), ignore);
    await new Promise((resolve) => setTimeout(resolve, limits.keepAliveMs * 1.2));
  }
  reply.end();
  await until((all) => all.endsWith('\r\n\r\n01234567'));
});

t.test('what comes while an answer is made is answered after it', async (t) => {
  const lab = await startLab(t);
  const { socket, until } = await dial(t, lab.port);
  socket.write(get('/bare/1'));
  await waiting(lab, 1);
  socket.write(get('/bare/2'));
  const other = await dial(t, lab.port);
  other.socket.write(get('/healthz'));
  await other.until((all) => all.includes('"ok"'));
  t.equal(lab.taken.length, 1);
  answer(lab.taken[0]!, 'one');
  await waiting(lab, 2);
  socket.write(
    'POST /bare/3 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  );
  answer(lab.taken[1]!, 'two');
  t.match(await until((all) => all.endsWith('framework')), /one[^]*two[^]*framework$/);
});

t.test('who leaves is not waited for, whichever way', async (t) => {
  const lab = await startLab(t);
  for (const leave of ['end', 'destroy', 'reset'] as const) {
    const { socket } = await dial(t, lab.port, { allowHalfOpen: true });
    const count = lab.taken.length;
    socket.write(get('/bare/1'));
    await waiting(lab, count + 1);
    const { reply } = lab.taken[count]!;
    const gone = Promise.withResolvers<undefined>();
    reply.watch({ left: () => gone.resolve(undefined) });
    if (leave === 'end') socket.end();
    else if (leave === 'destroy') socket.destroy();
    else socket.resetAndDestroy();
    await gone.promise;
    t.ok(reply.isGone, leave);
    reply.begin(200, ['content-length', '1']);
    reply.end();
  }
});

t.test('a small answer whose body does not come may become another', async (t) => {
  const lab = await startLab(t);
  const { socket, until } = await dial(t, lab.port);
  socket.write(get('/bare/1'));
  await waiting(lab, 1);
  const { reply } = lab.taken[0]!;
  reply.begin(200, ['content-length', '9']);
  t.notOk(reply.hasBegun, 'the client has nothing of it');
  answer(lab.taken[0]!, 'other');
  t.match(
    await until((all) => all.endsWith('other')),
    /^HTTP\/1.1 200 OK\r\n[^]*content-length: 5\r\n[^]*\r\n\r\nother$/,
  );
  t.ok(reply.hasBegun);
});

t.test('a drain waits for the answer, which says that the connection ends', async (t) => {
  const lab = await startLab(t);
  const busy = await dial(t, lab.port);
  busy.socket.write(get('/bare/1'));
  const idle = await dial(t, lab.port);
  idle.socket.write(get('/bare/2'));
  await waiting(lab, 2);
  const first = lab.taken.findIndex(({ request }) => request.url === '/bare/1');
  answer(lab.taken[1 - first]!, 'two');
  await idle.until((all) => all.endsWith('two'));
  const drained = lab.server.drain();
  await idle.ended();
  answer(lab.taken[first]!, 'one');
  t.match(await busy.ended(), /\r\nConnection: close\r\n\r\none$/);
  await drained;
});

t.test('an answer that is cut is seen to be', async (t) => {
  const lab = await startLab(t);
  const { socket, ended } = await dial(t, lab.port);
  socket.write(get('/bare/1'));
  await waiting(lab, 1);
  const { reply } = lab.taken[0]!;
  reply.begin(200, ['content-length', '5000']);
  reply.write(Buffer.from('part'), ignore);
  await once(socket, 'data');
  reply.cut();
  t.match(await ended(), /part$/);
});
