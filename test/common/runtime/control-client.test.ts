import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { t, type Test } from 'tap';
import { Type } from '../../../common/contract/type.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createControlClient, type ControlClientOptions } from '../../../common/runtime/control-client.ts';

const Named = Type.Object({ name: Type.String() });
const clock = createSystemClock();
const chance = createSeededChance(1);

async function serve(
  t: Test,
  listener: (...call: Parameters<RequestListener>) => unknown,
  options: Partial<ControlClientOptions> = {},
) {
  const server = createServer((request, response) => void listener(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = createControlClient({
    url: `http://127.0.0.1:${port}`,
    clock,
    chance,
    timeoutMs: 2000,
    ...options,
  });
  t.teardown(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });
  return client;
}

t.test('sends JSON, query and the authorization of the call; parses the answer', async (t) => {
  const client = await serve(
    t,
    async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const name = `${request.method ?? ''} ${request.url ?? ''} ${request.headers.authorization ?? ''} ${body}`;
      response.end(JSON.stringify({ name }));
    },
    { authorize: async (method, path) => `Bearer ${method}${path}` },
  );
  const call = {
    method: 'POST',
    path: '/v1/x',
    query: { after: 1, waitMs: undefined },
    body: { a: 1 },
  } as const;
  const { status, value } = await client.json(call, Named);
  t.equal(status, 200);
  t.same(value, { name: 'POST /v1/x?after=1 Bearer POST/v1/x {"a":1}' });
});

t.test('behind a path of a proxy the authorization is for the path that the other side sees', async (t) => {
  const echo: RequestListener = (request, response) => {
    const name = `${request.url ?? ''} ${request.headers.authorization ?? ''}`;
    response.end(JSON.stringify({ name }));
  };
  const authorize = async (method: string, path: string) => `Bearer ${method}${path}`;
  const direct = await serve(t, echo);
  const client = createControlClient({ url: `${direct.url}/nearcast/`, clock, chance, authorize });
  t.teardown(() => client.close());
  const { value } = await client.json({ method: 'GET', path: '/v1/x' }, Named);
  t.same(value, { name: '/nearcast/v1/x Bearer GET/v1/x' });
});

t.test('204 is undefined, text is text, a stream is sent as it comes', async (t) => {
  const client = await serve(t, async (request, response) => {
    if (request.method === 'GET') response.writeHead(204).end();
    else request.pipe(response);
  });
  t.equal((await client.json({ method: 'GET', path: '/' }, Named)).value, undefined);
  const stream = Readable.from([Buffer.from('ab'), Buffer.from('cd')]);
  t.equal((await client.text({ method: 'PATCH', path: '/', stream })).value, 'abcd');
  const buffer = Buffer.alloc(200_000, 'x');
  t.equal((await client.text({ method: 'PATCH', path: '/', stream: buffer })).value.length, buffer.length);
});

t.test('problems keep their code; answers without one get the nearest', async (t) => {
  const problem = { type: 'x', title: 'x', status: 409, code: 'NAME_TAKEN', detail: 'isp-a-1' };
  const client = await serve(t, (request, response) => {
    if (request.url === '/problem') response.writeHead(409).end(JSON.stringify(problem));
    else if (request.url === '/late') response.writeHead(429, { 'retry-after': '60' }).end();
    else if (request.url === '/other') response.writeHead(404).end('<html>');
    else if (request.url === '/odd') response.end('{"nome":"x"}');
    else response.end('x'.repeat(2000));
  });
  const json = (path: string) => client.json({ method: 'GET', path }, Named);
  await t.rejects(json('/problem'), { code: 'NAME_TAKEN', detail: 'isp-a-1' });
  await t.rejects(json('/late'), { code: 'RATE_LIMITED', retryAfterMs: 60_000 });
  await t.rejects(json('/other'), { code: 'NOT_FOUND' });
  await t.rejects(json('/odd'), { code: 'UNAVAILABLE', message: /name is missing/ });
  await t.rejects(client.text({ method: 'POST', path: '/big', answerBytesMax: 1000 }), {
    code: 'UNAVAILABLE',
  });
});

t.test('what may be repeated is tried again, what may not is not', async (t) => {
  let calls = 0;
  const client = await serve(t, (_request, response) => {
    calls++;
    if (calls % 3 === 0) response.end('{"name":"third"}');
    else if (calls % 3 === 1) response.writeHead(503).end();
    else response.destroy();
  });
  t.same((await client.json({ method: 'GET', path: '/' }, Named)).value, { name: 'third' });
  t.equal(calls, 3);
  await t.rejects(client.json({ method: 'POST', path: '/' }, Named), { code: 'UNAVAILABLE' });
  t.equal(calls, 4);
  await t.rejects(client.json({ method: 'POST', path: '/' }, Named), { code: 'CONTROL_UNREACHABLE' });
  calls = 0;
  await t.resolves(client.json({ method: 'POST', path: '/', idempotent: true }, Named));
});

t.test('nothing listening, no answer in time, the caller stops waiting', async (t) => {
  const gone = createControlClient({ url: 'http://127.0.0.1:1', clock, chance });
  await t.rejects(gone.text({ method: 'GET', path: '/', retriesMax: 1 }), {
    code: 'CONTROL_UNREACHABLE',
    message: /127\.0\.0\.1:1 \(ECONNREFUSED\); check/,
  });
  await gone.close();
  const asked = Promise.withResolvers<undefined>();
  const silent = await serve(t, () => asked.resolve(undefined), {
    timeoutMs: 50,
    unreachable: 'STEERING_UNREACHABLE',
  });
  await t.rejects(silent.text({ method: 'GET', path: '/', retriesMax: 0 }), {
    code: 'STEERING_UNREACHABLE',
    message: /no answer within 50 ms/,
  });
  await t.rejects(silent.text({ method: 'PATCH', path: '/', stream: Readable.from([Buffer.from('a')]) }), {
    code: 'STEERING_UNREACHABLE',
  });
  const controller = new AbortController();
  const poll = silent.text({ method: 'GET', path: '/', waitMs: 60_000, signal: controller.signal });
  await asked.promise;
  controller.abort();
  await t.rejects(poll, { code: 'ABORTED' });
  await t.rejects(silent.text({ method: 'GET', path: '/', signal: controller.signal }), { code: 'ABORTED' });
});

t.test(
  'an answer that is larger than allowed is cut; one in pieces and after an interim one is whole',
  async (t) => {
    const cut = Promise.withResolvers<undefined>();
    const client = await serve(t, async (request, response) => {
      if (request.url === '/pieces') {
        response.writeEarlyHints({ link: '</style.css>; rel=preload' });
        response.write('one, ');
        await new Promise((resolve) => setImmediate(resolve));
        response.end('two');
        return;
      }
      response.on('close', () => {
        cut.resolve(undefined);
      });
      response.write('x'.repeat(2000));
    });
    t.equal((await client.text({ method: 'GET', path: '/pieces' })).value, 'one, two');
    await t.rejects(client.text({ method: 'POST', path: '/endless', answerBytesMax: 1000 }), {
      code: 'UNAVAILABLE',
      message: /larger than 1000 bytes/,
    });
    await cut.promise;
  },
);

t.test(
  'who stops waiting before a connection is free hears of it at once, and nothing is sent',
  async (t) => {
    let asked = 0;
    const all = Promise.withResolvers<undefined>();
    const held: (() => void)[] = [];
    const client = await serve(t, (request, response) => {
      asked++;
      held.push(() => response.end());
      if (asked === 16) all.resolve(undefined);
    });
    const controller = new AbortController();
    const first = Array.from({ length: 16 }, () => client.text({ method: 'GET', path: '/' }));
    await all.promise;
    const waits = client.text({ method: 'GET', path: '/', signal: controller.signal });
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    await t.rejects(waits, { code: 'ABORTED' });
    for (const answer of held) answer();
    await Promise.all(first);
    t.equal(asked, 16);
  },
);
