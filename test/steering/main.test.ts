import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { mkdtemp, readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { text as textOf } from 'node:stream/consumers';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ExplainReply, SteeringStatus, type RankReply } from '../../common/contract/steering.ts';
import { generateKey } from '../../common/runtime/keys.ts';
import { matches } from '../../common/runtime/parse.ts';
import { queryPacket, readReply } from '../support/dns-zones.ts';
import { startSteeringControl, type SteeringControl } from '../support/steering-control.ts';
import {
  appliance,
  bundleOf,
  mapOf,
  origin,
  route,
  type TestAppliance,
  type TestMap,
} from '../support/steering-maps.ts';
import { startBox, startSteering, until, type SteeringProcess } from '../support/steering-process.ts';

const BUNDLE = bundleOf('0');
const loopback = (id: string, url: string, more: Partial<TestAppliance> = {}) =>
  appliance(id, { url, routes: [route('127.0.0.0/8')], ...more });

interface World {
  control: SteeringControl;
  dataDir: string;
  map: TestMap;
  boxes: Record<'a-1' | 'a-2' | 'origin', Awaited<ReturnType<typeof startBox>>>;
  steering: SteeringProcess;
}

/** Two boxes that reach 127/8, an origin, a control plane that has published map 1, and a steering process that has it. */
async function world(t: Test, more: readonly string[] = []): Promise<World> {
  const control = await startSteeringControl();
  const boxes = {
    'a-1': await startBox('a-1'),
    'a-2': await startBox('a-2'),
    origin: await startBox('origin'),
  };
  const dataDir = await mkdtemp(join(tmpdir(), 'steering-'));
  const map = mapOf([
    loopback('a-1', boxes['a-1'].url),
    loopback('a-2', boxes['a-2'].url, {
      site: 'site-b',
      routes: [route('127.0.0.0/8', { asPathLength: 3 })],
    }),
    origin('origin', { url: boxes.origin.url }),
  ]);
  control.publish(await control.signMap(map, 1), 1);
  const flags = ['--ttl-healthy-s', '3', '--ttl-incident-min-s', '1', '--ttl-incident-max-s', '2', ...more];
  const steering = await startSteering({ dataDir, controlUrl: control.url, code: control.code, more: flags });
  t.teardown(async () => {
    await steering.stop('SIGKILL');
    await control.close();
    await Promise.all(Object.values(boxes).map((box) => box.kill()));
  });
  await until('the first map', async () => (await rankIds(steering, control)).length > 0);
  return { control, dataDir, map, boxes, steering };
}

async function call(
  url: string,
  options: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
) {
  const response = await fetch(url, {
    redirect: 'manual',
    headers: {
      ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
      ...(options.body !== undefined && { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body !== undefined && { method: 'POST', body: JSON.stringify(options.body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    json: JSON.parse(text || '{}') as unknown,
  };
}

/** A GET from another loopback address, as from a proxy there. */
async function through(localAddress: string, url: string, headers: Record<string, string>) {
  const [response] = (await once(get(url, { localAddress, headers }), 'response')) as [IncomingMessage];
  return { headers: response.headers, text: await textOf(response) };
}

async function rankIds(
  steering: SteeringProcess,
  control: SteeringControl,
  client = '127.0.0.1',
): Promise<string[]> {
  const token = await control.accessToken('service');
  const { status, json } = await call(`${steering.url}/v1/rank`, { token, body: { client, bundle: BUNDLE } });
  return status === 200 ? (json as RankReply).pathways.map(({ id }) => id) : [];
}

async function steer(steering: SteeringProcess, token: string, query = '') {
  return call(`${steering.url}/v1/steer/${token}${query}`);
}

async function statusOf(steering: SteeringProcess, control: SteeringControl): Promise<SteeringStatus> {
  return (await call(`${steering.url}/v1/status`, { token: await control.accessToken('operator') }))
    .json as SteeringStatus;
}

const sessionOf = (control: SteeringControl): string =>
  control.deliveryToken({ scope: 'steer', bundle: BUNDLE, pathways: ['origin', 'a-2', 'a-1'] });

t.test('a map that is pushed changes the answers', async (t) => {
  const { steering, control, map } = await world(t);
  t.strictSame(await rankIds(steering, control), ['a-1', 'a-2', 'origin']);
  t.strictSame(await rankIds(steering, control, '198.51.100.1'), ['origin'], 'no route: the origin');
  const [first, ...rest] = map.appliances;
  const drained = { ...map, appliances: [{ ...first!, state: 'draining' as const }, ...rest] };
  control.publish(await control.signMap(drained, 2), 2);
  await until('the drain', async () => (await rankIds(steering, control))[0] === 'a-2');
  t.strictSame(await rankIds(steering, control), ['a-2', 'origin']);
  t.match(control.authorizations[0], /^Bearer ey/);
});

t.test('a killed box leaves the answers and comes back', async (t) => {
  const { steering, control, boxes } = await world(t);
  const token = sessionOf(control);
  await until('probes', async () =>
    (await statusOf(steering, control)).pathways.every(({ healthy }) => healthy),
  );
  await boxes['a-1'].kill();
  await until('the box to be out', async () => (await rankIds(steering, control))[0] === 'a-2');
  t.strictSame(await rankIds(steering, control), ['a-2', 'origin']);
  const { json } = await steer(steering, token);
  t.match(json, { 'PATHWAY-PRIORITY': ['a-2', 'origin', 'a-1'] }, 'the list goes on overlapping');
  t.ok([1, 2].includes((json as { TTL: number }).TTL), 'the TTL of an incident');
  const { pathways } = await statusOf(steering, control);
  t.match(
    pathways.find(({ id }) => id === 'a-1'),
    { healthy: false, reason: /ECONN|no whole answer/ },
  );
  const again = await startBox('a-1', boxes['a-1'].port);
  t.teardown(() => again.kill());
  await until('the box to be back', async () => (await rankIds(steering, control))[0] === 'a-1');
});

t.test('with the control plane gone it answers on, also after a restart, and says so', async (t) => {
  const { steering, control, dataDir } = await world(t);
  const token = sessionOf(control);
  const operator = await control.accessToken('operator');
  await until('a connection', async () => (await statusOf(steering, control)).controlPlane === 'connected');
  await until('the snapshot', async () => (await readdir(dataDir)).includes('steering-map.jws'));
  t.equal((await stat(join(dataDir, 'steering-map.jws'))).mode & 0o777, 0o600);
  await control.close();
  await until('the loss', async () => (await statusOf(steering, control)).controlPlane === 'lost');
  t.strictSame(await rankIds(steering, control), ['a-1', 'a-2', 'origin']);
  t.equal(await steering.stop(), 0);
  const again = await startSteering({ dataDir, controlUrl: control.url });
  t.teardown(() => again.stop('SIGKILL'));
  t.strictSame(await rankIds(again, control), ['a-1', 'a-2', 'origin']);
  t.match((await steer(again, token)).json, { VERSION: 1, 'PATHWAY-PRIORITY': ['a-1', 'a-2', 'origin'] });
  const status = (await call(`${again.url}/v1/status`, { token: operator })).json as SteeringStatus;
  t.ok(matches(SteeringStatus, status));
  t.match(status, { mapSequence: 1, mapExpired: false, controlPlane: 'lost' });
  t.equal(await again.stop(), 0);
});

t.test('maps that must not be taken are refused with their code, and the one held stays', async (t) => {
  const { steering, control, map } = await world(t);
  const worse = { ...map, appliances: map.appliances.slice(2), bundles: [] };
  control.publish(await control.signMap(map, 5), 5);
  await until('map 5', async () => (await statusOf(steering, control)).mapSequence === 5);
  const bad: Record<string, string> = {
    DOCUMENT_STALE: await control.signMap(worse, 4),
    KEY_UNKNOWN: await control.signMap(worse, 6, { key: generateKey() }),
    SIGNATURE_INVALID: (await control.signMap(worse, 6)).replace(/\.[^.]{8}([^.]*)$/, '.AAAAAAAA$1'),
    DOCUMENT_FOREIGN: await control.signMap(worse, 6, { audience: 'isp-a-1' }),
    DOCUMENT_EXPIRED: await control.signMap(worse, 6, { lifeMs: 1 }),
  };
  for (const [code, jws] of Object.entries(bad)) {
    control.publish(jws, 6);
    await until(code, async () =>
      steering.records.some((record) => record.code === code && record.msg?.startsWith('map refused')),
    );
    t.strictSame(await rankIds(steering, control), ['a-1', 'a-2', 'origin'], code);
  }
  t.match(await statusOf(steering, control), { mapSequence: 5, controlPlane: 'connected' });
  const metrics = await (await fetch(`${steering.url}/metrics`)).text();
  for (const code of Object.keys(bad))
    t.match(metrics, new RegExp(`maps_refused_total\\{code="${code}"\\} [1-9]`));
  control.publish(await control.signMap(map, 7), 7);
  await until('map 7', async () => (await statusOf(steering, control)).mapSequence === 7);
});

t.test('a map past its notAfter answers on after a restart, and status says so', async (t) => {
  const { steering, control, dataDir, map } = await world(t);
  control.publish(await control.signMap(map, 2, { lifeMs: 7_000 }), 2);
  await until('map 2', async () => (await statusOf(steering, control)).mapSequence === 2);
  await until('its end', async () => (await statusOf(steering, control)).mapExpired);
  t.strictSame(await rankIds(steering, control), ['a-1', 'a-2', 'origin']);
  await control.close();
  t.equal(await steering.stop(), 0);
  const again = await startSteering({ dataDir, controlUrl: control.url });
  t.teardown(() => again.stop('SIGKILL'));
  t.match(await statusOf(again, control), { mapSequence: 2, mapExpired: true });
  t.strictSame(await rankIds(again, control), ['a-1', 'a-2', 'origin']);
});

t.test('content steering, as HLS and DASH players ask', async (t) => {
  const { steering, control, map } = await world(t);
  await until('probes', async () =>
    (await statusOf(steering, control)).pathways.every(({ healthy }) => healthy),
  );
  const token = control.deliveryToken({ scope: 'steer', bundle: BUNDLE, pathways: ['a-1', 'a-2', 'origin'] });
  const queries = ['', '?_HLS_pathway="a-1"&_HLS_throughput=5000000', '?_HLS_pathway=a-1', '?_HLS_pathway=%22a-1%22&x=', '?_HLS_pathway=a&_HLS_pathway=b', '?on=x&from=%00&left=a-2', '?_HLS_pathway=%E0%A4%A', '?_HLS_throughput=5000000', '?_HLS_pathway&_HLS_throughput=', '?_HLS_throughput=x&_HLS_throughput=1', '?_HLS_pathway[]=a-2']; // prettier-ignore
  for (const query of queries) {
    const { status, headers, json } = await steer(steering, token, query);
    t.equal(status, 200, query);
    t.match(headers.get('content-type'), /application\/vnd\.apple\.steering-list/);
    t.equal(headers.get('cache-control'), 'no-store');
    t.equal(headers.get('access-control-allow-origin'), '*');
    t.strictSame(json, {
      VERSION: 1,
      TTL: 3,
      'RELOAD-URI': `${steering.url}/v1/steer/${token}?on=a-1&from=a-1`,
      'PATHWAY-PRIORITY': ['a-1', 'a-2', 'origin'],
    });
  }
  const dash = await steer(steering, token, '?_DASH_pathway=%22a-1%22&_DASH_throughput=1');
  t.match(dash.headers.get('content-type'), /application\/json/);
  t.match(dash.json, { VERSION: 1, TTL: 3, 'PATHWAY-PRIORITY': ['a-1', 'a-2', 'origin'] });
  const failedOver = await steer(steering, token, '?_DASH_pathway=%22a-1,a-2%22&_DASH_throughput=1,2');
  t.match(failedOver.json, { 'PATHWAY-PRIORITY': ['a-2', 'origin', 'a-1'] }, 'a-1 has failed this player');
  const { 'RELOAD-URI': reload } = failedOver.json as Record<string, string>;
  const again = await call(`${reload}&_DASH_pathway=%22a-2%22`);
  t.match(again.json, { 'PATHWAY-PRIORITY': ['a-2', 'origin', 'a-1'] }, 'and is not returned to at once');
  t.ok([1, 2].includes((again.json as { TTL: number }).TTL), 'the TTL of an incident');
  const preflight = await fetch(`${steering.url}/v1/steer/${token}`, {
    method: 'OPTIONS',
    headers: { origin: 'http://player.test', 'access-control-request-method': 'GET' },
  });
  t.equal(preflight.status, 204);
  t.equal(preflight.headers.get('access-control-allow-origin'), '*');

  const foreign = control.deliveryToken({ scope: 'steer', bundle: bundleOf('7'), pathways: ['x-2', 'x-1'] });
  const strange = await steer(steering, foreign, '?_HLS_pathway=a-1');
  t.match(strange, { status: 200, json: { 'PATHWAY-PRIORITY': ['x-2', 'x-1'] } }, 'boxes that no map names');
  t.ok([1, 2].includes((strange.json as { TTL: number }).TTL), 'its player asks again soon');
  const nowS = Math.floor(Date.now() / 1000);
  const expired = control.deliveryToken({ scope: 'steer', bundle: BUNDLE, pathways: ['a-1'], issuedAtS: nowS - 9, expiresAtS: nowS - 1 }); // prettier-ignore
  t.match(
    await steer(steering, expired),
    { status: 410, json: { code: 'STEERING_ENDED' } },
    'expired: asks no more',
  );
  const play = control.deliveryToken({ scope: 'play', bundle: BUNDLE });
  t.match(await steer(steering, play), { status: 403, json: { code: 'FORBIDDEN' } });
  const forged = `${token.slice(0, -6)}AAAAAA`;
  t.match(await steer(steering, forged), { status: 403, json: { code: 'TOKEN_INVALID' } });
  t.match(await steer(steering, 'x'), { status: 403, json: { code: 'TOKEN_INVALID' } });
  const revoked = { ...map, revocations: { sessions: ['ab'.repeat(16)], bundles: [] } };
  control.publish(await control.signMap(revoked, 2), 2);
  await until('the revocation', async () => (await steer(steering, token)).status === 410);
  const ranked = await call(`${steering.url}/v1/rank`, { token: play, body: { bundle: BUNDLE } });
  t.match(
    ranked,
    { status: 403, json: { code: 'TOKEN_REVOKED' } },
    'a session that was ended is ranked no more',
  );
});

t.test('rank, redirect and explain: who may ask what', async (t) => {
  const { steering, control, boxes } = await world(t, [
    '--trusted-proxies',
    '127.0.0.2',
    '--public-url',
    'https://steer.example/s/',
  ]);
  const play = control.deliveryToken({ scope: 'play', bundle: BUNDLE });
  const rank = (token: string | undefined, body: unknown, headers: Record<string, string> = {}) =>
    call(`${steering.url}/v1/rank`, { ...(token !== undefined && { token }), body, headers });
  t.match(await rank(play, { bundle: BUNDLE }), {
    status: 200,
    json: { mapSequence: 1, pathways: [{ id: 'a-1' }] },
  });
  t.match(await rank(play, { bundle: BUNDLE, client: '127.0.0.1' }), { status: 200 });
  t.match(await rank(play, { bundle: BUNDLE, client: '198.51.100.1' }), {
    status: 403,
    json: { code: 'FORBIDDEN' },
  });
  t.match(await rank(play, { bundle: bundleOf('1') }), { status: 403, json: { code: 'TOKEN_FOREIGN' } });
  const spoofed = await rank(play, { bundle: BUNDLE }, { 'x-forwarded-for': '198.51.100.1' });
  t.match(
    spoofed,
    { status: 200, json: { pathways: [{ id: 'a-1' }] } },
    'X-Forwarded-For of no trusted proxy',
  );
  const behindProxy = async (forwardedFor: string) => {
    const response = await through('127.0.0.2', `${steering.url}/v1/go/${play}/${'f'.repeat(64)}.mp4`, {
      'x-forwarded-for': forwardedFor,
    });
    return new URL(response.headers.location ?? '').origin;
  };
  const { origin, 'a-1': best } = boxes;
  t.equal(await behindProxy('198.51.100.1'), origin.url, 'the trusted proxy is believed');
  t.equal(await behindProxy('127.0.0.1, 198.51.100.1'), origin.url, 'what the client wrote itself is not');
  t.equal(await behindProxy('198.51.100.1, 127.0.0.9'), best.url);
  t.equal(await behindProxy('junk'), best.url, "the proxy's own address, where it says none");
  const steered = async (from: string, forwardedFor: string) => {
    const url = `${steering.url}/v1/steer/${sessionOf(control)}`;
    const { text } = await through(from, url, { 'x-forwarded-for': forwardedFor });
    return (JSON.parse(text) as Record<string, unknown>)['PATHWAY-PRIORITY'];
  };
  const [routed, strayed] = [['a-1', 'a-2', 'origin'], ['a-2', 'a-1', 'origin']]; // prettier-ignore
  t.strictSame(await steered('127.0.0.1', '198.51.100.1'), routed, 'no proxy of ours says it: not believed');
  t.strictSame(await steered('127.0.0.2', '198.51.100.1'), strayed, 'no route reaches who is behind it');
  t.strictSame(await steered('127.0.0.2', '127.0.0.1, 198.51.100.1'), strayed);
  const direct = await through('127.0.0.1', `${steering.url}/v1/go/${play}/${'f'.repeat(64)}.mp4`, {
    'x-forwarded-for': '198.51.100.1',
  });
  t.equal(new URL(direct.headers.location ?? '').origin, best.url, 'nor for a redirect');
  t.match(await rank(undefined, { bundle: BUNDLE }), { status: 401, json: { code: 'CREDENTIAL_MISSING' } });
  t.match(await rank(await control.accessToken('viewer'), { bundle: BUNDLE }), { status: 403 });
  const operator = await control.accessToken('operator');
  t.match(await rank(operator, { bundle: BUNDLE, client: '999.1.1.1' }), {
    status: 400,
    json: { code: 'INVALID' },
  });
  t.match(await rank(operator, { bundle: 'x' }), { status: 400, json: { code: 'INVALID' } });
  t.match(await rank(operator, { bundle: BUNDLE, more: 1 }), { status: 400 });

  const go = await call(`${steering.url}/v1/go/${play}/${'f'.repeat(64)}.mp4`).catch(() => undefined);
  t.equal(go?.status, 302);
  t.match(
    go?.headers.get('location'),
    new RegExp(`^http://127\\.0\\.0\\.1:\\d+/v1/${play}/${'f'.repeat(64)}\\.mp4$`),
  );
  for (const path of [
    '..%2f..%2fetc%2fpasswd',
    'x.mp4',
    `${'f'.repeat(64)}.exe`,
    `${'f'.repeat(64)}.mp4%00`,
  ]) {
    t.match(
      await call(`${steering.url}/v1/go/${play}/${path}`),
      { status: 404, json: { code: 'NOT_FOUND' } },
      path,
    );
  }
  const query = `client=127.0.0.1&bundle=${BUNDLE}`;
  const explained = await call(`${steering.url}/v1/explain?${query}`, { token: operator });
  t.ok(matches(ExplainReply, explained.json));
  t.match(explained.json, {
    matchedPrefix: '127.0.0.0/8',
    pathways: [{ id: 'a-1' }, { id: 'a-2' }, { id: 'origin' }],
  });
  const forNone = await call(`${steering.url}/v1/explain?client=127.0.0.1`, { token: operator });
  t.ok(matches(ExplainReply, forNone.json), 'for no title, as DNS is asked');
  t.match(forNone.json, { bundle: undefined, matchedPrefix: '127.0.0.0/8' });
  t.match(await call(`${steering.url}/v1/explain?${query}`, { token: play }), { status: 403 });
  t.match(await call(`${steering.url}/v1/explain?client=x&bundle=${BUNDLE}`, { token: operator }), {
    status: 400,
  });
  t.match(await call(`${steering.url}/v1/status`), { status: 401 });
  t.match((await call(`${steering.url}/v1/pathways/health`, { token: operator })).json, {
    pathways: [{ id: 'a-1' }],
  });
  const reload = (await steer(steering, sessionOf(control))).json as Record<string, string>;
  t.match(reload['RELOAD-URI'], /^https:\/\/steer\.example\/s\/v1\/steer\//, 'the configured URL');
});

t.test('DNS from the same brain', async (t) => {
  const { steering, control } = await world(t);
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  const ask = async (name: string) => {
    socket.send(queryPacket(`${name}.steer.nearcast.test`), steering.dnsPort, '127.0.0.1');
    const [packet] = (await once(socket, 'message')) as [Buffer];
    return readReply(packet);
  };
  // UDP has a thread of its own, to which the map comes a moment later.
  await until('the map in DNS', async () => (await ask('play')).rcode === 'NOERROR');
  t.match(await ask('play'), { rcode: 'NOERROR', answers: ['A 127.0.0.1', 'A 127.0.0.1'] });
  t.match(await ask('a-1'), { answers: ['A 127.0.0.1'] });
  t.match(await ask('ns1'), { answers: ['A 127.0.0.1'] });
  t.match(await ask('nobody'), { rcode: 'NXDOMAIN' });
  t.ok(control.authorizations.length > 0);
});

t.test('small and quick', async (t) => {
  const { steering } = await world(t);
  const rss = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${steering.pid}/status`, 'utf8'))?.[1];
  t.comment(`ready in ${steering.readyMs} ms, ${Math.round(Number(rss) / 1024)} MiB`);
  t.equal(await steering.stop(), 0);
});
