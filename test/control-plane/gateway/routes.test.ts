import { request } from 'node:http';
import t from 'tap';
import { Type } from '../../../common/contract/type.ts';
import { NodeList } from '../../../common/contract/nodes.ts';
import { enrolNode, startPlane } from '../support/control-plane.ts';

// Routes that take no credential, each for a reason.
const open = new Map([
  ['/', 'leads to the console'],
  ['/play', 'a page'],
  ['/play/', 'a page'],
  ['/console', 'a page'],
  ['/console/', 'a page'],
  ['/assets/*', 'what the pages are made of'],
  ['/avatars/:name.svg', 'pictures of the program, of nobody'],
  ['/v1/accounts/first', 'takes the code as its credential'],
  ['/v1/enrol', 'takes the code as its credential'],
  ['/v1/keyset', 'signed by the root, for everyone'],
  ['/v1/provider-notices/stripe', 'each notice is signed by the provider'],
  ['/.well-known/openid-configuration', 'says where to sign in'],
  ['/.well-known/oauth-authorization-server', 'says where to sign in'],
]);
// Served by every plane's HTTP server.
const openEverywhere = ['/healthz', '/openapi.json', '/docs', '/docs/*'];
// The token in the path is the credential.
const byPath = ':token';

t.test('every route but those listed asks for a credential', async (t) => {
  const plane = await startPlane(t);
  t.ok(plane.routes.length > 30, String(plane.routes.length));
  for (const route of plane.routes) {
    const [method = '', pattern = ''] = route.split(' ');
    if (open.has(pattern) || method === 'OPTIONS') continue;
    // Sign-in itself: what these ask for is a password, a code or a cookie.
    if (/^\/(oauth|account)(\/|$)/.test(pattern)) continue;
    const path = pattern.replaceAll(/:\w+/g, 'x').replaceAll('*', 'x');
    const answer = await plane.call(`${method} /${path.slice(1)}`, { token: '' });
    const wanted = pattern.includes(byPath) ? [401, 403] : [401];
    t.ok(wanted.includes(answer.status), `${route} answers ${String(answer.status)}`);
    if (method !== 'HEAD') t.match(answer.json, { code: /^(CREDENTIAL|TOKEN)_/ }, `${route} says why`);
  }
  for (const pattern of open.keys()) {
    t.ok(
      plane.routes.some((route) => route.endsWith(` ${pattern}`)),
      `${pattern} is a route`,
    );
  }
});

const OpenApi = Type.Object({
  paths: Type.Record(
    Type.String(),
    Type.Record(Type.String(), Type.Object({ security: Type.Array(Type.Unknown()) })),
  ),
});

t.test('the API describes itself, with a credential on every operation', async (t) => {
  const plane = await startPlane(t);
  const answer = await plane.call('GET /openapi.json', { token: '' });
  t.match(answer.json, { openapi: '3.1.0', info: { title: 'Nearcast control plane' } });
  const { paths } = answer.as(OpenApi);
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { security }] of Object.entries(operations)) {
      t.ok(Array.isArray(security), `${method} ${path} says who may call it`);
    }
  }
  const described = new Set(Object.keys(paths));
  for (const route of plane.routes) {
    const [method = '', pattern = ''] = route.split(' ');
    if (!pattern.startsWith('/v1/') || method === 'HEAD' || method === 'OPTIONS') continue;
    t.ok(described.has(pattern.replaceAll(/:(\w+)/g, '{$1}')), `${pattern} is described`);
  }
  const docs = await plane.call('GET /docs/', { token: '' });
  t.equal(docs.status, 200);
  t.match(docs.text, /swagger-ui/i);
  const script = await plane.call('GET /docs/static/swagger-ui-bundle.js', { token: '' });
  for (const { headers } of [docs, script]) {
    t.match(headers['content-security-policy'], /default-src 'self'/, 'the browser may run it');
  }
  t.ok(openEverywhere.length > 0);
});

t.test('health is open, metrics are for this machine', async (t) => {
  const plane = await startPlane(t);
  t.match((await plane.call('GET /healthz', { token: '' })).json, { status: 'ok', name: 'control-plane' });
  t.match((await plane.call('GET /metrics', { token: '' })).text, /nearcast_build_info/);
});

t.test('answers tell browsers to be careful, and pages may fetch media from any appliance', async (t) => {
  const plane = await startPlane(t);
  const api = await plane.call('GET /v1/status');
  t.match(api.headers, {
    'content-security-policy': /default-src 'none'/,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  });
  const root = await plane.call('GET /', { token: '' });
  t.match(root, { status: 302, headers: { location: '/console/' } });
});

t.test('pages: served where they are built, a clear 404 where not', async (t) => {
  const dir = t.testdir({
    viewer: { 'index.html': '<title>player</title>' },
    assets: { 'index-abc.js': 'export {}' },
    'secret.txt': 'no',
  });
  const plane = await startPlane(t, { flags: ['--clients-dir', dir] });
  const page = await plane.call('GET /play/', { token: '' });
  t.match(page, { status: 200, text: /player/, headers: { 'content-type': /text\/html/ } });
  t.match(page.headers['content-security-policy'], /media-src [^;]*https:/);
  const asset = await plane.call('GET /assets/index-abc.js', { token: '' });
  t.match(asset, { status: 200, headers: { 'cache-control': /immutable/ } });
  t.match(await plane.call('GET /console/', { token: '' }), { status: 404, json: { detail: /not built/ } });
});

t.test('no path climbs out of its place', async (t) => {
  const dir = t.testdir({
    viewer: { 'index.html': 'x' },
    assets: { 'a.js': '1' },
    'secret.txt': 'of the house',
  });
  const plane = await startPlane(t, { flags: ['--clients-dir', dir] });
  const paths = [
    '/assets/../secret.txt',
    '/assets/..%2fsecret.txt',
    '/assets/%2e%2e/secret.txt',
    '/assets/..%5csecret.txt',
    '/assets/%252e%252e%252fsecret.txt',
    '/assets/.%00./secret.txt',
    '/assets//etc/passwd',
    '/play/../secret.txt',
    '/play/%2e%2e%2fsecret.txt',
    '/docs/static/..%2f..%2f..%2fpackage.json',
    '/v1/nodes/..%2f..%2fetc',
    '/v1/nodes/%2e%2e',
    '/v1/titles/..%2f..%2fetc%2fpasswd',
    '/v1/uploads/..%2f..%2fkeys%2froot.pem',
    '/v1/playback/..%2f..%2fx/master.m3u8',
  ];
  for (const path of paths) {
    const { status, body } = await rawGet(plane.url, path, plane.operator);
    t.ok(status >= 400 && status < 500, `${path} answers ${String(status)}`);
    t.notMatch(body, /of the house|root:|PRIVATE KEY|"dependencies"/, path);
  }
});

/** undici tidies paths up; an attacker does not. */
function rawGet(url: string, path: string, token: string): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const call = request({ hostname, port, path, headers: { authorization: `Bearer ${token}` } }, (reply) => {
      let body = '';
      reply.setEncoding('utf8');
      reply.on('data', (part: string) => {
        body += part;
      });
      reply.on('end', () => {
        resolve({ status: reply.statusCode ?? 0, body });
      });
    });
    call.on('error', reject);
    call.end();
  });
}

t.test('bad bodies: what is wrong is said, nothing is done', async (t) => {
  const plane = await startPlane(t);
  const node = await enrolNode(plane, 'isp-a-1');
  const route = 'POST /v1/enrolment-codes';
  t.match(await plane.call(route, { body: '{"role":' }), { status: 400, json: { code: 'BAD_REQUEST' } });
  t.match(await plane.call(route, { body: { role: 'appliance', name: 'x', colour: 'red' } }), {
    status: 400,
    json: { code: 'INVALID', fields: [{ path: 'body.colour', message: 'is not known here' }] },
  });
  t.match(await plane.call(route, { body: { role: 'king', name: 'x' } }), {
    status: 400,
    json: { code: 'INVALID' },
  });
  t.match(await plane.call(route, { body: { role: 'appliance', name: '../x' } }), {
    status: 400,
    json: { code: 'INVALID' },
  });
  t.match(await plane.call(route, { body: '<xml/>', headers: { 'content-type': 'text/xml' } }), {
    status: 415,
    json: { code: 'UNSUPPORTED_MEDIA_TYPE' },
  });
  t.match(await plane.call(route, { body: { role: 'appliance', name: 'x'.repeat(300_000) } }), {
    status: 413,
    json: { code: 'BODY_TOO_LARGE' },
  });
  t.match(await node.call('GET /v1/revocations?after=-1'), { status: 400, json: { code: 'INVALID' } });
  t.match(await node.call('GET /v1/revocations?colour=red'), { status: 400, json: { code: 'INVALID' } });
  t.match(await node.beat({ headroom: 7 }), { status: 400, json: { code: 'INVALID' } });
  t.match(await plane.call('GET /v1/nowhere'), { status: 404, json: { code: 'NOT_FOUND' } });
  t.match(await plane.call('POST /v1/nodes/isp-a-1', { body: {} }), {
    status: 405,
    json: { code: 'METHOD_NOT_ALLOWED' },
    headers: { allow: 'DELETE, GET, HEAD' },
  });
  t.strictSame(
    (await plane.call('GET /v1/nodes')).as(NodeList).nodes.map(({ id }) => id),
    ['isp-a-1'],
  );
});

t.test('enrolment tries are limited', async (t) => {
  const plane = await startPlane(t);
  const body = { secret: 'A'.repeat(32), publicJwk: {}, proof: '' };
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => plane.call('POST /v1/enrol', { token: '', body })),
  );
  const limited = answers.filter(({ status }) => status === 429);
  // The bucket fills again meanwhile, however slowly the tries go out.
  t.ok(limited.length > 0 && limited.length <= 10, String(limited.length));
  t.match(limited[0], { json: { code: 'RATE_LIMITED' }, headers: { 'retry-after': /\d+/ } });
});
