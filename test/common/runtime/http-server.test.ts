import { connect } from 'node:net';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { t, type Test } from 'tap';
import { Type } from '../../../common/contract/type.ts';
import { signAccessToken, verifyAccessToken } from '../../../common/runtime/access-tokens.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { callerGone, createHttpServer, type HttpServerOptions } from '../../../common/runtime/http-server.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';

const clock = createSystemClock();
const chance = createSystemChance();
const key = generateKey();
const local = { host: '127.0.0.1', port: 0 };

async function makeServer(t: Test, options: Partial<HttpServerOptions> = {}) {
  const server = await createHttpServer({
    name: 'steering',
    version: '1.2.3',
    log: createSilentLog(),
    metrics: createMetrics({ name: 'steering', version: '1.2.3' }),
    credentials: {
      access: (token) =>
        verifyAccessToken(token, { clock, findKey: (kid) => (kid === key.kid ? key.publicKey : undefined) }),
      delivery: (token) => {
        if (token !== 'good') throw coded('TOKEN_INVALID');
        return { scope: 'steer', session: 'x', issuedAtS: 1, expiresAtS: 2 };
      },
    },
    ...options,
  });
  t.teardown(() => server.stop());
  return server;
}

async function bearer(role: 'operator' | 'viewer'): Promise<Record<string, string>> {
  const { token } = await signAccessToken({ sub: 'me', role, ttlS: 60 }, { key, clock, chance });
  return { authorization: `Bearer ${token}` };
}

t.test('health and metrics are open on loopback, with security headers and a request id', async (t) => {
  const server = await makeServer(t);
  const url = await server.listen(local);
  const health = await fetch(`${url}/healthz`);
  t.same(await health.json(), { status: 'ok', name: 'steering', version: '1.2.3' });
  t.match(Object.fromEntries(health.headers), {
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-request-id': /^[\w-]{12}$/,
  });
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const proxied = await fetch(`${url}/metrics`, { headers: { 'x-forwarded-for': '192.0.2.1' } });
  t.equal(proxied.status, 401, 'a proxy on this machine opens nothing');
  const page = await fetch(`${url}/metrics`, { headers: { origin: 'https://example.com' } });
  t.equal(page.status, 401, "nor does a page in this machine's browser");
  t.match(metrics, /nearcast_http_answer_seconds_count\{method="GET",route="\/healthz",status="200"\} 1/);
});

t.test('a route without a decision about its callers cannot be registered', async (t) => {
  const { app } = await makeServer(t);
  t.throws(() => app.get('/v1/open', () => 'x'), /does not say who may call it/);
  t.throws(() => app.get('/v1/empty', { config: { credential: [] } }, () => 'x'), /does not say/);
  t.throws(
    () => app.get('/v1/node', { config: { credential: ['node:encoder'] } }, () => 'x'),
    /nothing verifies/,
  );
  await app.register(async (scope) => {
    scope.credentialDefault = ['operator'];
    scope.get('/v1/scoped', () => 'x');
  });
  t.equal((await app.inject('/v1/scoped')).statusCode, 401);
});

t.test('callers are held to the credential of the route', async (t) => {
  const { app } = await makeServer(t);
  app.get('/v1/nodes', { config: { credential: ['operator', 'admin'] } }, (request) => request.caller);
  app.get(
    '/v1/steer/:token',
    { config: { credential: ['delivery:steer'] } },
    (request) => request.caller.kind,
  );
  app.post('/v1/rank', { config: { credential: ['delivery:play', 'operator'] } }, () => 'ranked');
  const get = async (url: string, headers = {}) => {
    const reply = await app.inject({ url, headers });
    return [reply.statusCode, reply.json<{ code?: string }>().code];
  };
  t.same(await get('/v1/nodes'), [401, 'CREDENTIAL_MISSING']);
  t.match((await app.inject('/v1/nodes')).headers, {
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  t.same(await get('/v1/nodes', { authorization: 'Bearer a.b.c' }), [401, 'CREDENTIAL_INVALID']);
  t.same(await get('/v1/nodes', await bearer('viewer')), [403, 'FORBIDDEN']);
  t.same(await get('/v1/steer/bad'), [403, 'TOKEN_INVALID']);
  const allowed = await app.inject({ url: '/v1/nodes', headers: await bearer('operator') });
  t.same(allowed.json(), { kind: 'access', role: 'operator', sub: 'me' });
  t.equal((await app.inject('/v1/steer/good')).body, 'delivery');
  t.equal((await app.inject({ url: '/v1/steer/good', method: 'HEAD' })).statusCode, 200);
  const scope = await app.inject({
    url: '/v1/rank',
    method: 'POST',
    headers: { authorization: 'Bearer good' },
  });
  t.equal(scope.json<{ code: string }>().code, 'FORBIDDEN');
  t.equal((await app.inject({ url: '/v1/steer/x' })).headers['www-authenticate'], undefined);
  t.match((await app.inject({ url: '/v1/nodes' })).headers, { 'www-authenticate': /^Bearer/ });
});

t.test('every error is problem details', async (t) => {
  const { app } = await makeServer(t, { limits: { bodyBytesMax: 100 } });
  const open = { credential: ['none'] } as const;
  const body = Type.Object(
    { role: Type.Union([Type.Literal('a'), Type.Literal('b')]) },
    { additionalProperties: false },
  );
  const querystring = Type.Object({ waitMs: Type.Optional(Type.Integer({ maximum: 10 })) });
  app.post('/v1/things', { config: open, schema: { body, querystring } }, (request) => request.query);
  app.get('/v1/broken', { config: open }, () => {
    throw new Error('secret database path');
  });
  app.get('/v1/busy', { config: open }, () => {
    throw coded('OVERLOADED', { retryAfterMs: 1500 });
  });
  const post = async (payload: string, headers = {}, query = '') => {
    const reply = await app.inject({
      method: 'POST',
      url: `/v1/things${query}`,
      payload,
      headers: { 'content-type': 'application/json', ...headers },
    });
    t.match(
      reply.headers['content-type'],
      reply.statusCode === 200 ? 'application/json' : 'application/problem+json',
    );
    return reply.json<Record<string, unknown>>();
  };
  t.same(await post('{"role":"a"}', {}, '?waitMs=5'), { waitMs: 5 });
  t.match(await post('{"role":"c"}'), {
    status: 400,
    code: 'INVALID',
    detail: 'body.role must be one of "a", "b"',
    fields: [{ path: 'body.role', message: 'must be one of "a", "b"' }],
    instance: '/v1/things',
  });
  t.match(await post('{"role":"a","x":1}'), { code: 'INVALID', fields: [{ path: 'body.x' }] });
  t.match(await post('{}'), { fields: [{ path: 'body.role', message: 'is missing' }] });
  t.match(await post('{"role":"a"}', {}, '?waitMs=50'), { fields: [{ path: 'querystring.waitMs' }] });
  t.match(await post('{"role":'), { status: 400, code: 'BAD_REQUEST' });
  t.match(await post('x'.repeat(101)), { status: 413, code: 'BODY_TOO_LARGE' });
  t.match(await post('x', { 'content-type': 'text/xml' }), { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
  t.match((await app.inject('/nothing')).json(), { status: 404, code: 'NOT_FOUND', instance: '/nothing' });
  t.match((await app.inject('/%zz')).json(), { status: 400, code: 'BAD_REQUEST' });
  const broken = await app.inject('/v1/broken');
  t.match(broken.json(), {
    status: 500,
    code: 'INTERNAL',
    detail: `request ${String(broken.headers['x-request-id'])}`,
  });
  t.notMatch(broken.body, 'secret');
  t.match((await app.inject('/v1/busy')).headers, { 'retry-after': '2' });
});

t.test('too many requests of one address are refused with Retry-After', async (t) => {
  const { app } = await makeServer(t, { rate: { burst: 2, perSecond: 0.4 } });
  app.get('/v1/x', { config: { credential: ['operator'] } }, () => 'x');
  // Guesses of a credential count.
  t.equal((await app.inject('/v1/x')).statusCode, 401);
  t.equal((await app.inject('/v1/x')).statusCode, 401);
  const refused = await app.inject('/v1/x');
  t.equal(refused.statusCode, 429);
  t.match(refused.json(), { code: 'RATE_LIMITED' });
  t.ok(Number(refused.headers['retry-after']) > 0);
});

t.test('who calls is what a trusted proxy says, and nobody else', async (t) => {
  const ask = async (trustedProxies: readonly string[]) => {
    const { app } = await makeServer(t, { trustedProxies });
    app.get('/v1/x', { config: { credential: ['none'] } }, ({ ip }) => ip);
    const headers = { 'x-forwarded-for': '203.0.113.9, 198.51.100.1' };
    return (await app.inject({ url: '/v1/x', headers })).body;
  };
  t.equal(await ask([]), '127.0.0.1');
  t.equal(await ask(['192.0.2.0/24']), '127.0.0.1');
  t.equal(await ask(['127.0.0.1']), '198.51.100.1', 'what a client writes there itself stands before it');
});

t.test('a method that a path does not take is told those that it takes', async (t) => {
  const { app } = await makeServer(t, { cors: ['*'] });
  const config = { credential: ['none'] } as const;
  app.put('/v1/nodes/:id/drain', { config }, () => 'x');
  app.delete('/v1/nodes/:id/drain', { config }, () => 'x');
  app.get('/assets/*', { config }, () => 'x');
  const wrong = await app.inject({ method: 'POST', url: '/v1/nodes/a.b/drain?x=1' });
  t.match(wrong, { statusCode: 405, headers: { allow: 'DELETE, PUT' } });
  t.match(wrong.json(), { code: 'METHOD_NOT_ALLOWED' });
  t.match(await app.inject({ method: 'PUT', url: '/assets/a/b' }), {
    statusCode: 405,
    headers: { allow: 'GET, HEAD' },
  });
  for (const url of ['/v1/nodes//drain', '/v1/nodes/a/b/drain', '/assets', '/v1/nodes/a']) {
    t.equal((await app.inject({ method: 'POST', url })).statusCode, 404, url);
  }
});

t.test('a port in use is named with what to do', async (t) => {
  const first = await makeServer(t);
  const url = await first.listen(local);
  const port = Number(new URL(url).port);
  const second = await makeServer(t);
  await t.rejects(second.listen({ host: '127.0.0.1', port }), {
    code: 'ADDRESS_IN_USE',
    message: new RegExp(`127\\.0\\.0\\.1:${port}.*--port`),
  });
  const third = await makeServer(t);
  await t.rejects(third.listen({ host: '192.0.2.1', port: 0 }), { code: 'ADDRESS_UNAVAILABLE' });
});

t.test('what comes before the framework answers, is measured, and leaves it the rest', async (t) => {
  const server = await makeServer(t);
  server.app.get('/quick/:id', { config: { credential: ['none'] } }, () => 'from the framework');
  server.before('/quick/:id', ({ url }) =>
    url === '/quick/1' ? { headers: { 'content-type': 'text/plain' }, body: 'at once' } : undefined,
  );
  const url = await server.listen(local);
  t.equal(await (await fetch(`${url}/quick/1`)).text(), 'at once');
  t.equal(await (await fetch(`${url}/quick/2`)).text(), 'from the framework');
  t.equal((await fetch(`${url}/nothing`)).status, 404);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  t.match(metrics, /nearcast_http_answer_seconds_count\{method="GET",route="\/quick\/:id",status="200"\} 2/);
});

t.test('draining answers what is in hand, ends long polls and takes nothing new', async (t) => {
  const server = await makeServer(t);
  const release = Promise.withResolvers<undefined>();
  const entered = Promise.withResolvers<undefined>();
  server.app.get('/v1/slow', { config: { credential: ['none'] } }, async () => {
    entered.resolve(undefined);
    await release.promise;
    return 'done';
  });
  const polling = Promise.withResolvers<undefined>();
  server.app.get('/v1/poll', { config: { credential: ['none'] } }, async (_request, reply) => {
    polling.resolve(undefined);
    await once(server.draining, 'abort');
    return reply.code(204).send();
  });
  const url = await server.listen(local);
  const slow = fetch(`${url}/v1/slow`);
  const poll = fetch(`${url}/v1/poll`);
  await Promise.all([entered.promise, polling.promise]);
  const drained = server.drain();
  t.equal((await poll).status, 204);
  await t.rejects(fetch(`${url}/healthz`));
  release.resolve(undefined);
  const answered = await slow;
  t.equal(await answered.text(), 'done');
  t.equal(answered.headers.get('connection'), 'close', 'nothing more is asked on a connection that was busy');
  await drained;
});

t.test('a caller that goes away is noticed', async (t) => {
  const server = await makeServer(t);
  const gone = Promise.withResolvers<undefined>();
  server.app.get('/v1/poll', { config: { credential: ['none'] } }, async (request, reply) => {
    const signal = callerGone(request, reply);
    await once(signal, 'abort');
    gone.resolve(undefined);
    return 'x';
  });
  const url = await server.listen(local);
  const controller = new AbortController();
  const reply = fetch(`${url}/v1/poll`, { signal: controller.signal });
  await pause(50);
  controller.abort();
  await t.rejects(reply);
  await gone.promise;
});

t.test('a body that never ends is cut', async (t) => {
  const server = await makeServer(t, { limits: { requestMs: 100 } });
  server.app.post('/v1/x', { config: { credential: ['none'] } }, () => 'x');
  const url = await server.listen(local);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(
    'POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{',
  );
  socket.on('error', () => undefined).resume();
  await once(socket, 'close');
  t.pass('closed');
});

t.test('bytes that are no HTTP are answered and cut', async (t) => {
  const server = await makeServer(t);
  const url = await server.listen(local);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
  socket.write('NONSENSE\r\n\r\n');
  await once(socket, 'close');
  t.match(answer, /^HTTP\/1\.1 400[\s\S]*application\/problem\+json[\s\S]*"code":"BAD_REQUEST"/);
});

t.test('OpenAPI 3.1 and its browser are made when asked for', async (t) => {
  const { app } = await makeServer(t, {
    openapi: { title: 'Control', version: '1', docs: true },
    cors: ['*'],
  });
  const response = { 200: Type.Object({ name: Type.String() }) };
  app.get('/v1/x', { config: { credential: ['operator'] }, schema: { response, summary: 'An x' } }, () => ({
    name: 'x',
  }));
  const spec = (await app.inject('/openapi.json')).json<Record<string, unknown>>();
  t.match(spec, {
    openapi: '3.1.0',
    paths: {
      '/v1/x': { get: { summary: 'An x', security: [{ bearer: [] }], 'x-credential': ['operator'] } },
    },
  });
  const docs = await app.inject('/docs/');
  t.equal(docs.statusCode, 200);
  t.match(docs.body, /swagger/i);
  t.equal(docs.headers['x-content-type-options'], 'nosniff');
  t.equal(
    (await app.inject({ url: '/v1/x', headers: { origin: 'http://a' } })).headers[
      'access-control-allow-origin'
    ],
    '*',
  );
});
