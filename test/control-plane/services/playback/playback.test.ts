import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { call, type Answer } from '../../support/call.ts';
import { asRole, fakeDeliveryToken, fakeVerifiers } from '../../support/fake-credentials.ts';
import { readM3u8 } from '../../support/read-m3u8.ts';
import { childrenOf, readXml } from '../../support/read-xml.ts';
import { fileNamed } from '../../support/sample-bundle.ts';
import { until } from '../../support/until.ts';
import {
  bundle,
  bundleName,
  create,
  createOk,
  openLab,
  origin,
  ranks,
  titleId,
  way,
  type LabOptions,
} from '../../support/playback-lab.ts';

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
  t.strictSame(
    lab.begun,
    [{ bundle: bundleName, site: 'isp-a', region: 'DE' }],
    'and who counts sessions hears of it',
  );
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

t.test('a steering that is late once, while it answers others, is asked on', async (t) => {
  const clock = createManualClock();
  let isFirst = true;
  const rank = ranks(way('isp-a-1'), origin);
  const lab = await openLab(t, {
    clock,
    steering: (request, reply) => {
      if (!isFirst) rank(request, reply);
      isFirst = false;
    },
  });
  const first = createOk(lab);
  await until(
    () => lab.asked.length,
    (count) => count === 1,
  );
  await clock.advance(500);
  t.equal((await createOk(lab)).rankedBy, 'steering');
  await clock.advance(500);
  t.equal((await first).rankedBy, 'fallback');
  t.equal((await createOk(lab)).rankedBy, 'steering');
});

t.test('sessions that begin together are kept together, and each is there when it is answered', async (t) => {
  const lab = await openLab(t, { steering: ranks(way('isp-a-1'), origin) });
  const sessions = await Promise.all(Array.from({ length: 20 }, () => createOk(lab)));
  t.equal(new Set(sessions.map(({ sessionId }) => sessionId)).size, 20);
  t.equal(lab.playback.sessionsToday(), 20);
  for (const { hlsUrl } of sessions) t.equal((await call(hlsUrl)).status, 200);
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
  t.match(await create(nobody), {
    status: 503,
    headers: { 'retry-after': '2' },
    body: { code: 'NO_PATHWAY' },
  });
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

const twoStreams = { heightMax: 720, streamsMax: 2, downloads: false };

t.test('a plan limits the picture and the streams at once', async (t) => {
  const clock = createManualClock();
  const lab = await openLab(t, { clock, plan: { isRequired: true, entitlements: twoStreams } });
  const session = await createOk(lab);
  t.strictSame(session.entitlements, twoStreams);
  const heights = readM3u8((await call(session.hlsUrl)).text)
    .map(({ attributes }) => attributes['RESOLUTION'])
    .filter(Boolean);
  t.strictSame([...new Set(heights)], ['1280x720', '640x360']);
  t.notMatch((await call(session.dashUrl)).text, 'v1080');

  const second = await createOk(lab);
  const refused = { status: 409, body: { code: 'STREAMS_TOO_MANY' } };
  t.match(await create(lab), refused);
  t.match(await create(lab, { titleId }, 'operator'), { status: 201 }, 'operators are not counted');
  lab.playback.reported({ session: second.sessionId, hasEnded: true });
  t.match(await create(lab, { titleId: 'title_unknown-unknown' }), { status: 404 });
  const third = await createOk(lab);
  t.match(await create(lab), refused, 'what could not be played takes no place, what does play has it');
  for (let minute = 0; minute < 10; minute++) {
    await clock.advance(59_000);
    lab.playback.reported({ session: session.sessionId, hasEnded: false });
    lab.playback.reported({ session: third.sessionId, hasEnded: false });
  }
  t.match(await create(lab), refused, 'both still report');
  await clock.advance(60_000);
  t.match(await create(lab), { status: 201 }, 'after a minute of silence they count no more');
});

t.test('without a subscription: refused where one is needed, unhindered where none is', async (t) => {
  const closed = await openLab(t, { plan: { isRequired: true } });
  t.match(await create(closed), { status: 402, body: { code: 'SUBSCRIPTION_REQUIRED' } });
  t.match(await create(closed, { titleId }, 'operator'), { status: 201 });
  const open = await openLab(t, { plan: { isRequired: false } });
  const session = await createOk(open);
  t.equal(session.entitlements, undefined);
  t.match((await call(session.hlsUrl)).text, '1920x1080');
});

t.test('a session has what the device plays, and says so where that is nothing', async (t) => {
  const lab = await openLab(t);
  const make = (capabilities: object) => create(lab, { titleId, capabilities });
  const renditions = async (capabilities: object, kind: 'hlsUrl' | 'dashUrl') => {
    const { body } = await make(capabilities);
    const { text } = await call(String(body[kind]));
    const ids = ['v1080', 'v720', 'v360', 'audio'].filter((id) => new RegExp(`"${id}"`).test(text));
    return { told: body['renditions'], ids: ids.filter((id) => id !== 'audio') };
  };
  for (const kind of ['hlsUrl', 'dashUrl'] as const) {
    const all = { told: ['v1080', 'v720', 'v360'], ids: ['v1080', 'v720', 'v360'] };
    t.strictSame(await renditions({}, kind), all);
    t.strictSame(await renditions({ codecs: ['avc1.640028', 'mp4a'] }, kind), all);
    const low = { told: ['v720', 'v360'], ids: ['v720', 'v360'] };
    t.strictSame(await renditions({ codecs: ['avc1.64001f', 'mp4a.40.2', 'av01'] }, kind), low);
    t.strictSame(await renditions({ heightMax: 720 }, kind), low);
    t.strictSame(await renditions({}, kind), all, 'what was made for one device is not for another');
  }
  for (const capabilities of [{ codecs: ['av01', 'opus'] }, { codecs: ['avc1'] }, { heightMax: 100 }])
    t.match(await make(capabilities), {
      status: 422,
      body: {
        code: 'PLAYBACK_UNSUPPORTED',
        title: 'This device cannot play the title',
        detail: /avc1.640028 \(1080 lines\).*the device plays/,
      },
    });
  t.match(await make({ codecs: ['"'] }), { status: 400 });
});

t.test('sessions that nobody counts begin, and do not pile up', async (t) => {
  const counting = Promise.withResolvers<undefined>();
  const lab = await openLab(t, { options: { tellsMax: 2 }, counting: counting.promise });
  for (let sessions = 0; sessions < 4; sessions++) await createOk(lab);
  t.equal(lab.begun.length, 2, 'so many are under way, and no more');
  counting.resolve(undefined);
  await counting.promise;
  await until(
    async () => {
      await createOk(lab);
      return lab.begun.length;
    },
    (told) => told > 2,
  );
});
