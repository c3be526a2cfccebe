import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import { PlaybackSession } from '../../../../common/contract/playback.ts';
import type { Pathway } from '../../../../common/contract/steering.ts';
import { createSystemChance } from '../../../../common/runtime/chance.ts';
import { createSystemClock, type Clock } from '../../../../common/runtime/clock.ts';
import { coded } from '../../../../common/runtime/errors.ts';
import { createHttpServer } from '../../../../common/runtime/http-server.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { createMetrics } from '../../../../common/runtime/metrics.ts';
import { matches } from '../../../../common/runtime/parse.ts';
import { playbackDefaults, type PlaybackOptions } from '../../../../control-plane/services/playback/ports.ts';
import { playbackRoutes } from '../../../../control-plane/services/playback/routes.ts';
import { createPlayback, type Playback } from '../../../../control-plane/services/playback/service.ts';
import { createSteeringRanker } from '../../../../control-plane/services/playback/steering-ranker.ts';
import { call, type Answer } from '../../support/call.ts';
import { asRole, fakeDeliveryToken, fakeVerifiers } from '../../support/fake-credentials.ts';
import { readM3u8 } from '../../support/read-m3u8.ts';
import { childrenOf, readXml } from '../../support/read-xml.ts';
import { fileNamed, sampleBundle } from '../../support/sample-bundle.ts';
import { until } from '../../support/until.ts';

const titleId = 'title_abcdefgh';
const bundleName = fileNamed('the bundle');
const bundle = sampleBundle();

function way(id: string, role: 'appliance' | 'origin' = 'appliance'): Pathway {
  return { id, role, url: `http://${id}:8080`, site: 'isp-a', cluster: 'isp-a' };
}

const origin = way('origin', 'origin');
const everyone = [way('isp-a-1'), way('isp-a-2'), way('isp-b-1'), origin];

interface PlaybackLab {
  playback: Playback;
  url: string;
  /** Sessions that were told of. */
  begun: { bundle: string }[];
  /** What steering was asked. */
  asked: { body: unknown; authorization: string | undefined }[];
  /** Who is ready; may be changed. */
  holders: Pathway[];
  close(): Promise<void>;
}

interface LabOptions {
  directory?: string;
  clock?: Clock;
  options?: Partial<PlaybackOptions>;
  /** How steering answers; undefined: there is no steering, `dead`: nothing listens there. */
  steering?: ((request: IncomingMessage, reply: ServerResponse) => void) | 'dead' | undefined;
}

async function openLab(t: Test, given: LabOptions = {}): Promise<PlaybackLab> {
  const directory = given.directory ?? (await mkdtemp(join(tmpdir(), 'nearcast-playback-')));
  const records = await openSqliteRecords(join(directory, 'playback.db'));
  const clock = given.clock ?? createSystemClock();
  const chance = createSystemChance();
  const asked: PlaybackLab['asked'] = [];
  const steering = await startSteering(t, given.steering, asked);
  const ranker =
    steering === undefined
      ? undefined
      : createSteeringRanker({
          steeringUrl: steering,
          clock,
          chance,
          serviceToken: async () => ({
            token: `service-${asked.length}`,
            expiresAtMs: clock.nowMs() + 3_600_000,
          }),
        });
  const holders = [...everyone];
  const begun: PlaybackLab['begun'] = [];
  const files = bundle.files.map(({ file }) => file);
  const title = { titleId, name: 'A "film" <b>&</b>\u0007', bundleName, files };
  let publicUrl = '';
  const playback = await createPlayback({
    ...{ records, clock, chance, log: createSilentLog() },
    catalog: {
      playable: async ({ titleId: id }) => {
        if (id === titleId) return title;
        throw coded(id === 'title_filling-filling' ? 'TITLE_NOT_LIVE' : 'TITLE_UNKNOWN');
      },
      bundle: async () => bundle,
    },
    fleet: { siteOf: async () => ({ site: 'isp-a' }), holders: async () => ({ pathways: holders }) },
    tokens: { mint: async ({ claims }) => ({ tokens: claims.map(fakeDeliveryToken) }) },
    ...{ users: { resume: async () => ({}) }, rank: ranker?.rank },
    events: {
      begun: async (session) => {
        begun.push(session);
        return {};
      },
    },
    options: { ...playbackDefaults, publicUrl: () => publicUrl, steeringUrl: steering, ...given.options },
  });
  const server = await createHttpServer({
    name: 'lab',
    version: '0.0.0',
    log: createSilentLog(),
    metrics: createMetrics({ name: 'lab', version: '0.0.0' }),
    credentials: fakeVerifiers,
    cors: ['*'],
  });
  playbackRoutes(server.app, { playback, rights: { of: async () => ({ maturityMax: 18 }) } });
  publicUrl = await server.listen({ host: '127.0.0.1', port: 0 });
  playback.start(new AbortController().signal);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closed ??= (async () => {
      await server.stop();
      await playback.stop();
      await ranker?.close();
      await records.close();
    })());
  t.teardown(async () => {
    await close();
    if (given.directory === undefined) await rm(directory, { recursive: true, force: true });
  });
  return { playback, url: publicUrl, asked, holders, begun, close };
}

async function startSteering(
  t: Test,
  behave: LabOptions['steering'],
  asked: PlaybackLab['asked'],
): Promise<string | undefined> {
  if (behave === undefined) return undefined;
  const server = createServer((request, reply) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      asked.push({ body: JSON.parse(text), authorization: request.headers.authorization });
      if (behave !== 'dead') behave(request, reply);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  if (behave === 'dead') await stop();
  else t.teardown(stop);
  return url;
}

function ranks(...pathways: Pathway[]): Exclude<LabOptions['steering'], undefined | 'dead'> {
  return (_request, reply) => {
    reply.setHeader('content-type', 'application/json');
    reply.end(JSON.stringify({ mapSequence: 7, pathways }));
  };
}

async function create(
  lab: PlaybackLab,
  json: object = { titleId },
  role: 'viewer' | 'operator' = 'viewer',
): Promise<Answer> {
  return await call(`${lab.url}/v1/playback-sessions`, { headers: asRole(role), json });
}

async function createOk(lab: PlaybackLab): Promise<PlaybackSession> {
  const { status, body, text } = await create(lab);
  if (status !== 201 || !matches(PlaybackSession, body)) throw new Error(text);
  return body;
}

t.test('a session as steering ranks it', async (t) => {
  const lab = await openLab(t, { steering: ranks(way('isp-b-1'), way('isp-a-1'), origin) });
  const session = await createOk(lab);
  t.equal(session.rankedBy, 'steering');
  t.strictSame(
    session.pathways.map(({ id }) => id),
    ['isp-b-1', 'isp-a-1', 'origin'],
  );
  t.strictSame(lab.asked, [
    { body: { client: '127.0.0.1', bundle: bundleName }, authorization: 'Bearer service-0' },
  ]);
  t.match(session, { titleId, bundle: bundleName, durationMs: 10_500 });
  const token = session.hlsUrl.split('/')[5] ?? '';
  t.equal(session.hlsUrl, `${lab.url}/v1/playback/${token}/master.m3u8`);
  t.equal(session.dashUrl, `${lab.url}/v1/playback/${token}/manifest.mpd`);
  t.equal(session.posterUrl, `http://isp-b-1:8080/v1/${token}/${bundle.poster}.jpg`);
  t.equal(session.thumbnailsUrl, `http://isp-b-1:8080/v1/${token}/${bundle.thumbnails.vtt}.vtt`);
  const play = await fakeVerifiers.delivery(token);
  t.match(play, { scope: 'play', session: session.sessionId, bundle: bundleName });
  t.equal(play.pathways, undefined);
  t.equal(play.expiresAtS * 1000, session.expiresAtMs);
  t.equal(
    play.expiresAtS - play.issuedAtS,
    4 * 3600 + 21 + 1,
    'twice the duration and four hours, rounded up',
  );
  const steer = await fakeVerifiers.delivery(session.steeringUrl.split('/').pop() ?? '');
  t.match(steer, { scope: 'steer', session: session.sessionId, pathways: ['isp-b-1', 'isp-a-1', 'origin'] });
  t.equal(lab.playback.sessionsToday(), 1);
  t.match(lab.begun, [{ bundle: bundleName, site: 'isp-a' }], 'and who counts sessions hears of it');
});

t.test('manifests: types, headers, sibling pathways, the same bytes each time', async (t) => {
  const lab = await openLab(t, { steering: ranks(way('isp-b-1'), way('isp-a-1'), origin) });
  const session = await createOk(lab);
  const hls = await call(session.hlsUrl, { headers: { origin: 'http://player' } });
  t.match(hls.headers, {
    'content-type': 'application/vnd.apple.mpegurl',
    'cache-control': 'no-store',
    'access-control-allow-origin': '*',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  });
  const tags = readM3u8(hls.text);
  const [steering] = tags.filter(({ name }) => name === 'EXT-X-CONTENT-STEERING');
  t.strictSame(steering?.attributes, { 'SERVER-URI': session.steeringUrl, 'PATHWAY-ID': 'isp-b-1' });
  t.equal(new Set(tags.map(({ attributes }) => attributes['PATHWAY-ID']).filter(Boolean)).size, 3);
  const dash = await call(session.dashUrl, { headers: { origin: 'http://player' } });
  t.match(dash.headers, { 'content-type': 'application/dash+xml', 'cache-control': 'no-store' });
  const mpd = readXml(dash.text);
  t.strictSame(
    childrenOf(mpd, 'BaseURL').map(({ attributes }) => attributes['serviceLocation']),
    ['isp-b-1', 'isp-a-1', 'origin'],
  );
  t.equal(childrenOf(mpd, 'ContentSteering')[0]?.text, session.steeringUrl);
  lab.holders.length = 0;
  t.equal((await call(session.hlsUrl)).text, hls.text);
  t.equal((await call(session.dashUrl)).text, dash.text);
  t.match(await call(session.hlsUrl, { method: 'HEAD' }), { status: 200 });
});

t.test('a session and its manifests outlive the process', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-playback-again-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const lab = await openLab(t, { directory });
  const session = await createOk(lab);
  const before = (await call(session.dashUrl)).text;
  await lab.close();
  const again = await openLab(t, { directory });
  const url = session.dashUrl.replace(lab.url, again.url);
  t.equal((await call(url)).text, before);
  t.equal(again.playback.sessionsToday(), 1);
});

t.test(
  'without steering, or with one that fails, ready holders are used and the origin is last',
  async (t) => {
    const cases: [string, LabOptions['steering']][] = [
      ['no steering', undefined],
      ['nothing listens', 'dead'],
      [
        'it has no map',
        (_request, reply) => reply.writeHead(503, { 'content-type': 'application/problem+json' }).end('{}'),
      ],
      ['it talks nonsense', (_request, reply) => reply.end('<html>')],
      ['it knows nobody', ranks()],
      ['it cuts the connection', (request) => request.socket.destroy()],
    ];
    for (const [name, steering] of cases) {
      const lab = await openLab(t, { steering });
      const session = await createOk(lab);
      t.equal(session.rankedBy, 'fallback', name);
      t.equal(session.pathways.length, 4);
      t.equal(session.pathways.at(-1)?.id, 'origin');
      t.equal(session.steeringUrl === '', steering === undefined);
      const tags = readM3u8((await call(session.hlsUrl)).text);
      const count = tags.filter((tag) => tag.name === 'EXT-X-CONTENT-STEERING').length;
      t.equal(count, steering === undefined ? 0 : 1);
      await lab.close();
    }
  },
);

t.test('a steering that hangs costs one session a second, and the next nothing', async (t) => {
  const clock = createManualClock();
  const lab = await openLab(t, { clock, steering: () => undefined });
  const first = createOk(lab);
  await until(
    () => lab.asked.length,
    (count) => count === 1,
  );
  await clock.advance(1000);
  t.equal((await first).rankedBy, 'fallback');
  t.equal((await createOk(lab)).rankedBy, 'fallback', 'it is not asked while it is paused');
  t.equal(lab.asked.length, 1);
  await clock.advance(2000);
  const third = createOk(lab);
  await until(
    () => lab.asked.length,
    (count) => count === 2,
  );
  await clock.advance(1000);
  await third;
});

t.test('one pathway is never all, where there is another', async (t) => {
  const lab = await openLab(t, { steering: ranks(way('isp-a-1')) });
  t.strictSame(
    (await createOk(lab)).pathways.map(({ id }) => id),
    ['isp-a-1', 'origin'],
  );
  const alone = await openLab(t, { steering: ranks(origin) });
  alone.holders.splice(0, 4, origin);
  t.strictSame(
    (await createOk(alone)).pathways.map(({ id }) => id),
    ['origin'],
  );
  const nobody = await openLab(t);
  nobody.holders.length = 0;
  t.match(await create(nobody), { status: 503, body: { code: 'NO_PATHWAY' } });
  t.equal(nobody.playback.sessionsToday(), 0);
});

t.test('who may ask, for whom and for what', async (t) => {
  const lab = await openLab(t, { steering: ranks(way('isp-a-1'), origin) });
  const sessions = `${lab.url}/v1/playback-sessions`;
  t.match(await call(sessions, { json: { titleId } }), { status: 401 });
  t.match(await call(sessions, { headers: asRole('service'), json: { titleId } }), { status: 403 });
  t.match(await create(lab, { titleId, clientAddress: '10.1.2.3' }), {
    status: 403,
    body: { code: 'FORBIDDEN' },
  });
  t.match(await create(lab, { titleId, clientAddress: '10.1.2.3' }, 'operator'), { status: 201 });
  t.match(await create(lab, { titleId, clientAddress: '2001:db8::1' }, 'operator'), { status: 201 });
  t.strictSame(
    lab.asked.map(({ body }) => (body as { client: string }).client),
    ['10.1.2.3', '2001:db8::1'],
  );
  for (const clientAddress of ['10.1.2.333', '::g', '1.2.3.4/8', ':::']) {
    t.match(await create(lab, { titleId, clientAddress }, 'operator'), {
      status: 400,
      body: { code: 'INVALID' },
    });
  }
  t.match(await create(lab, { titleId: 'title_unknown-unknown' }), {
    status: 404,
    body: { code: 'TITLE_UNKNOWN' },
  });
  t.match(await create(lab, { titleId: 'title_filling-filling' }), {
    status: 409,
    body: { code: 'TITLE_NOT_LIVE' },
  });
  t.match(await create(lab, { titleId: '../../etc' }), { status: 400, body: { code: 'INVALID' } });
});

t.test('tokens: invalid, of another scope, of another bundle, ended', async (t) => {
  const clock = createManualClock();
  const lab = await openLab(t, { clock });
  const session = await createOk(lab);
  const { sessionId } = session;
  const common = { session: sessionId, issuedAtS: 0, expiresAtS: 1 };
  const get = (token: string): Promise<Answer> => call(`${lab.url}/v1/playback/${token}/master.m3u8`);
  t.match(await get('bm9uc2Vuc2U'), { status: 403, body: { code: 'TOKEN_INVALID' } });
  t.match(await get(fakeDeliveryToken({ ...common, scope: 'steer', bundle: bundleName })), {
    status: 403,
    body: { code: 'FORBIDDEN' },
  });
  t.match(await get(fakeDeliveryToken({ ...common, scope: 'play', bundle: fileNamed('other') })), {
    status: 403,
    body: { code: 'TOKEN_FOREIGN' },
  });
  const unknown = fakeDeliveryToken({
    ...common,
    session: 'f'.repeat(32),
    scope: 'play',
    bundle: bundleName,
  });
  t.match(await get(unknown), { status: 403, body: { code: 'TOKEN_EXPIRED' } });
  for (const path of ['..%2f..%2fmaster.m3u8', '%2e%2e/master.m3u8', 'x/other.m3u8', 'x/master.m3u8/..']) {
    t.equal((await call(`${lab.url}/v1/playback/${path}`)).status >= 400, true, path);
  }
  t.equal((await call(session.hlsUrl)).status, 200);
  await clock.advance(4 * 3_600_000 + 22_000);
  const ended = await call(session.hlsUrl);
  t.match(ended, { status: 403, body: { code: 'TOKEN_EXPIRED' } });
  t.notMatch(ended.text, session.hlsUrl.split('/')[5] ?? '-', 'no token in an error');
});

t.test('sessions are bounded, and end', async (t) => {
  const clock = createManualClock();
  const lab = await openLab(t, { clock, options: { sessionsMax: 3 } });
  for (let count = 0; count < 3; count++) await createOk(lab);
  t.match(await create(lab), { status: 429, body: { code: 'OVERLOADED' }, headers: { 'retry-after': '60' } });
  await clock.advance(4 * 3_600_000 + 22_000);
  t.equal((await create(lab)).status, 201, 'those that have ended make room');
  t.equal(lab.playback.sessionsToday(), 4);
  await clock.advance(24 * 3_600_000);
  t.equal(lab.playback.sessionsToday(), 0);
  await createOk(lab);
  t.equal(lab.playback.sessionsToday(), 1);
});
