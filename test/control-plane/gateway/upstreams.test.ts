import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { request } from 'undici';

import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { startPlane, type TestPlane } from '../support/control-plane.ts';
import { until } from '../support/until.ts';

interface Service {
  origin: string;
  /** How many requests it has had. */
  count(): number;
  stop(): Promise<void>;
}

/** A service of its own; on the port of another that has stopped where one is given. */
async function startService(t: Test, answer: RequestListener, port = 0): Promise<Service> {
  let count = 0;
  const server = createServer((sent, reply) => {
    count++;
    answer(sent, reply);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => stopServer(server));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, count: () => count, stop: () => stopServer(server) };
}

/** As one of ours drains: what is in hand is answered, connections are closed. */
async function stopServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  await closed;
}

const says =
  (text: string, status = 200): RequestListener =>
  (_sent, reply) => {
    reply.writeHead(status, { 'content-type': 'text/plain' }).end(text);
  };

async function startGateway(t: Test, ...services: readonly Service[]): Promise<TestPlane> {
  const upstreams = services.flatMap(({ origin }) => ['--gateway-upstreams', `/v1/billing=${origin}`]);
  return await startPlane(t, { flags: [...upstreams, '--gateway-browse-per-second', '10000'] });
}

t.test('a request goes on as it came, and its answer comes back', async (t) => {
  const service = await startService(t, (sent, reply) => {
    void buffer(sent).then((body) => {
      const { method, url, headers } = sent;
      reply.writeHead(201, {
        'content-type': 'application/json',
        'x-theirs': ['1', '2'],
        connection: 'close',
      });
      reply.end(JSON.stringify({ method, url, headers, body: body.toString('hex') }));
    });
  });
  const plane = await startGateway(t, service);
  const body = Buffer.from([0, 255, 1]);
  const answer = await plane.call('POST /v1/billing/a%2Fb/?q=%C3%A4&q=b', {
    ...{ token: 'a.b.c', body },
    headers: { 'content-type': 'application/x-own', 'x-forwarded-for': '203.0.113.1', te: 'trailers' },
  });
  t.match(answer, {
    status: 201,
    headers: { 'x-theirs': ['1', '2'], 'x-content-type-options': 'nosniff', 'ratelimit-policy': /browse/ },
    json: { method: 'POST', url: '/v1/billing/a%2Fb/?q=%C3%A4&q=b', body: '00ff01' },
  });
  const { headers } = answer.json as { headers: Record<string, string> };
  t.match(headers, {
    authorization: 'Bearer a.b.c',
    host: new URL(plane.url).host,
    'x-forwarded-for': '127.0.0.1',
    'x-request-id': answer.headers['x-request-id'],
  });
  t.notOk('te' in headers);
  t.match(await plane.call('HEAD /v1/billing'), { status: 201, text: '' });
  t.match(await plane.call('GET /v1/billinging'), { status: 404, json: { code: 'NOT_FOUND' } });
  const large = await plane.call('PUT /v1/billing', { body: Buffer.alloc(2 << 20) });
  t.match(large, { status: 413, json: { code: 'BODY_TOO_LARGE' } });
});

t.test(
  'past the framework or by way of it: a request goes on alike, and its answer comes back alike',
  async (t) => {
    const seen: object[] = [];
    const service = await startService(t, (sent, reply) => {
      const { method, url, headers } = sent;
      const { 'x-request-id': id, origin: _origin, ...same } = headers;
      const one = { method, url, headers: same, hasId: typeof id === 'string', body: '' };
      seen.push(one);
      sent.setEncoding('utf8').on('data', (part) => (one.body += String(part)));
      const status = Number(new URL(url ?? '', 'http://a').searchParams.get('status') ?? 200);
      const length = status === 304 || url?.includes('chunked') === true ? {} : { 'content-length': '5' };
      reply.writeHead(status, {
        'x-theirs': ['1', '2'],
        'cache-control': 'max-age=9',
        etag: '"a"',
        ...length,
      });
      if (status === 304) reply.end();
      else reply.end('whole');
    });
    for (const [proxies, cors] of [
      [[], []],
      [
        ['--trusted-proxies', '127.0.0.1'],
        ['--cors-origins', 'https://app.example'],
      ],
    ] as const) {
      const upstreams = ['--gateway-upstreams', `/v1/billing=${service.origin}`];
      const plane = await startPlane(t, { flags: [...upstreams, ...proxies, ...cors] });
      for (const path of [
        '',
        '/a?q=b&c=%20',
        '/?status=404',
        '/a?chunked',
        '/b?status=304',
        '/c?status=503',
      ]) {
        const sent = {
          ...{ accept: '*/*', 'x-own': 'x', 'x-forwarded-for': '192.0.2.7', 'x-forwarded-host': 'b.test:1' },
          'x-forwarded-proto': 'https',
        };
        const said = ({ status, text, headers }: Awaited<ReturnType<typeof plane.call>>) => {
          const { date, ratelimit, 'x-request-id': id, ...same } = headers;
          return { status, text, same, has: [date, ratelimit, id].map((one) => typeof one) };
        };
        for (const [method, body] of [
          ['GET', undefined],
          ['POST', '{"a": [1, "ä"'],
        ] as const) {
          const ask = (more: object) =>
            plane.call(`${method} /v1/billing${path}`, {
              headers: { ...sent, ...more },
              token: 'a.b.c',
              body,
            });
          const past = await ask({});
          const first = seen.at(-1);
          t.match(first, { method, body: body ?? '' });
          // The first always is for the framework, the other where pages may call.
          for (const more of [{ trailer: 'x' }, { origin: 'https://other.example' }]) {
            t.same(said(await ask(more)), said(past), path);
            t.same(seen.at(-1), first, path);
          }
        }
      }
    }
  },
);

t.test('past the framework too: rates, and what becomes of who is not answered', async (t) => {
  const service = await startService(t, says('well'));
  const upstreams = ['--gateway-upstreams', `/v1/billing=${service.origin}`];
  const rates = ['--gateway-browse-per-second', '1', '--gateway-burst-seconds', '3'];
  const plane = await startPlane(t, {
    clock: createManualClock({ nowMs: Date.now() }),
    flags: [...upstreams, ...rates, '--trusted-proxies', '127.0.0.1'],
  });
  const from = (address: string) =>
    plane.call('GET /v1/billing/x', { token: '', headers: { 'x-forwarded-for': address } });
  for (const left of [2, 1, 0])
    t.match(await from('192.0.2.1'), {
      status: 200,
      headers: { ratelimit: `"browse";r=${left};t=${3 - left}` },
    });
  t.match(await from('192.0.2.1'), { status: 429, json: { code: 'RATE_LIMITED' } });
  t.match(await from('192.0.2.2'), { status: 200 });
  await service.stop();
  const gone = await startGateway(t, service);
  const answers = await Promise.all([
    gone.call('GET /v1/billing/a'),
    gone.call('GET /v1/billing/b', { headers: { trailer: 'x' } }),
  ]);
  const [past, by] = answers.map(({ status, json, headers }) => {
    const { date, ratelimit, 'x-request-id': id, ...same } = headers;
    const { instance, ...problem } = json as { instance: string };
    return { status, problem, same, has: [date, ratelimit, id, instance].map((one) => typeof one) };
  });
  t.match(past, { status: 503, problem: { code: 'UNAVAILABLE' } });
  t.same(past, by);
  const metrics = (await gone.call('GET /metrics', { token: '' })).text;
  t.match(
    metrics,
    /nearcast_http_answer_seconds_count\{method="GET",route="\/v1\/billing\/\*",status="503"\} 2/,
    'both are measured',
  );
});

t.test('what is safe to repeat is asked of another, all else once', async (t) => {
  const resets = await startService(t, (sent) => sent.socket.destroy());
  const troubled = await startService(t, says('in trouble', 503));
  const well = await startService(t, says('well'));
  const plane = await startGateway(t, resets, troubled, well);
  for (let at = 0; at < 4; at++) t.match(await plane.call('GET /v1/billing'), { status: 200, text: 'well' });
  t.ok(resets.count() > 0 && troubled.count() > 0, 'they were asked');
  const before = resets.count() + troubled.count() + well.count();
  const posted = await Promise.all(
    [0, 1, 2, 3, 4, 5].map(() => plane.call('POST /v1/billing', { body: {} })),
  );
  t.equal(resets.count() + troubled.count() + well.count(), before + 6);
  const failed = posted.filter(({ status }) => status === 502);
  t.ok(failed.length > 0);
  t.match(failed[0], { json: { code: 'UPSTREAM_FAILED' } });
  t.ok(
    posted.some(({ status, text }) => status === 503 && text === 'in trouble'),
    'its own words',
  );
});

t.test(
  'a service that dies behind a head: whole from another, or 502; never an answer with nothing',
  async (t) => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n';
    const dies = await startService(t, (sent) => sent.socket.end(head));
    const well = await startService(t, says('whole'));
    const plane = await startGateway(t, dies, well);
    for (const headers of [{}, { origin: 'https://a.example' }]) {
      for (let at = 0; at < 4; at++)
        t.match(await plane.call('GET /v1/billing', { headers }), { status: 200, text: 'whole' });
      t.match(await plane.call('HEAD /v1/billing', { headers }), { status: 200, text: '' });
    }
    for (const method of ['GET', 'POST'] as const)
      for (const headers of [{}, { origin: 'https://a.example' }]) {
        const alone = await startGateway(t, dies);
        const body = method === 'POST' ? { body: {} } : {};
        t.match(await alone.call(`${method} /v1/billing`, { headers, ...body }), {
          status: 502,
          json: { code: 'UPSTREAM_FAILED' },
        });
      }
  },
);

t.test('retries stay within a tenth of the requests', async (t) => {
  const one = await startService(t, says('busy', 503));
  const other = await startService(t, says('busy', 503));
  const plane = await startGateway(t, one, other);
  for (let at = 0; at < 150; at++)
    t.match(await plane.call('GET /v1/billing'), { status: 503, text: 'busy' });
  const retries = one.count() + other.count() - 150;
  t.ok(retries >= 10 && retries <= 25, `${retries} retries`);
  t.match(
    (await plane.call('GET /metrics')).text,
    `nearcast_gateway_retries_total{prefix="/v1/billing"} ${retries}`,
  );
});

t.test('a service that does not answer is left alone, and asked again when it is back', async (t) => {
  let isBroken = true;
  const service = await startService(t, (sent, reply) => {
    if (isBroken) sent.socket.destroy();
    else says('back')(sent, reply);
  });
  const plane = await startGateway(t, service);
  const post = () => plane.call('POST /v1/billing', { body: {} });
  for (let at = 0; at < 5; at++) t.match(await post(), { status: 502 });
  const counted = service.count();
  const waits = post();
  t.equal(service.count(), counted, 'its circuit is open');
  isBroken = false;
  t.match(await waits, { status: 200, text: 'back' }, 'within the time that a service may be away');
});

t.test('nobody there: refused with a time to come back', async (t) => {
  const service = await startService(t, says('x'));
  await service.stop();
  const plane = await startGateway(t, service);
  const answer = await plane.call('GET /v1/billing');
  t.match(answer, { status: 503, json: { code: 'UNAVAILABLE' }, headers: { 'retry-after': '1' } });
});

t.test('a service that starts again while it is asked costs nobody an answer', async (t) => {
  let service = await startService(t, says('ours'));
  const plane = await startGateway(t, service);
  const statuses: number[] = [];
  let isOver = false;
  const ask = async (): Promise<void> => {
    while (!isOver) statuses.push((await plane.call('GET /v1/billing')).status);
  };
  const asking = Array.from({ length: 4 }, ask);
  for (let restart = 0; restart < 3; restart++) {
    const answered = statuses.length;
    await until(
      () => statuses.length,
      (count) => count > answered + 20,
    );
    await service.stop();
    service = await startService(t, says('ours'), Number(new URL(service.origin).port));
  }
  isOver = true;
  await Promise.all(asking);
  t.strictSame([...new Set(statuses)], [200]);
});

t.test(
  'answers flow at the pace of their readers; who leaves is not answered; what is cut is seen to be',
  async (t) => {
    const chunk = Buffer.alloc(1 << 16, 'x');
    let closed = false;
    const service = await startService(t, (sent, reply) => {
      if (sent.url === '/v1/billing/cut') {
        reply.writeHead(200, { 'content-length': '100' });
        reply.write('half', () => reply.destroy());
        return;
      }
      if (sent.url === '/v1/billing/waits') {
        reply.once('close', () => (closed = true));
        return;
      }
      let left = 320;
      const more = (): void => {
        while (left-- > 0) if (!reply.write(chunk)) return void reply.once('drain', more);
        reply.end();
      };
      more();
    });
    const plane = await startGateway(t, service);
    const large = await request(`${plane.url}/v1/billing/large`);
    const hash = createHash('sha256');
    let size = 0;
    for await (const part of large.body as AsyncIterable<Buffer>) {
      size += part.length;
      hash.update(part);
    }
    t.equal(size, 320 << 16);
    const cut = await request(`${plane.url}/v1/billing/cut`);
    await t.rejects(cut.body.text());
    const leaving = new AbortController();
    const asked = service.count();
    const waits = request(`${plane.url}/v1/billing/waits`, { signal: leaving.signal });
    await until(service.count, (count) => count > asked);
    leaving.abort();
    await t.rejects(waits);
    await until(
      () => closed,
      (is) => is,
    );
  },
);

t.test('prefixes that are none, or that this process serves, are refused', async (t) => {
  for (const [upstream, message] of [
    ['search=http://a', /is not like/],
    ['/v1/titles=http://a', /served by this process/],
    ['/v1=http://a', /served by this process/],
    ['/healthz=http://a', /served by this process/],
  ] as const)
    await t.rejects(startPlane(t, { flags: ['--gateway-upstreams', upstream] }), {
      code: 'CONFIG_INVALID',
      message,
    });
});
