import { readFile } from 'node:fs/promises';

import t from 'tap';
import { request } from 'undici';

import { PlaybackSession } from '../../../common/contract/playback.ts';
import { TitleSearchReply } from '../../../common/contract/search.ts';
import { StatusView } from '../../../common/contract/status.ts';
import { AccessTokenReply } from '../../../common/contract/credentials.ts';
import { addTitle } from '../support/add-title.ts';
import { startApart } from '../support/apart.ts';
import { callerNames, makeCallers } from '../support/callers.ts';
import { enrolNode, startPlane, temporaryDir, type Answer } from '../support/control-plane.ts';
import { until } from '../support/until.ts';

t.setTimeout(120_000);

t.test('services that run apart are one control plane', async (t) => {
  const dataDir = await temporaryDir(t);
  const plane = await startApart(t, { dataDir, flags: ['--ingest-roots', dataDir, '--lease-ms', '1h'] });
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const origin = await enrolNode(plane, 'origin', { role: 'origin' });
  await origin.beat();
  const { id: titleId } = await addTitle(plane, encoder, { name: 'Solaris' });
  const made = await plane.call('POST /v1/access-tokens', {
    body: { role: 'viewer', sub: 'one', ttlS: 600 },
  });
  const { token } = made.as(AccessTokenReply);
  const found = async (q: string) =>
    (await plane.call(`GET /v1/search/titles?q=${q}`, { token })).as(TitleSearchReply).hits;
  const finds = (q: string) =>
    until(
      () => found(q),
      (hits) => hits.length > 0,
    );
  const play = (body: object): Promise<Answer> => plane.call('POST /v1/playback-sessions', { token, body });
  const sessionsToday = async () => (await plane.call('GET /v1/status')).as(StatusView).sessionsToday;

  await t.test('a viewer finds a title and plays it', async (t) => {
    t.match(await finds('solaris'), [{ id: titleId, state: 'live' }]);
    const session = (await play({ titleId })).as(PlaybackSession);
    t.ok(session.hlsUrl.startsWith(`${plane.url}/v1/playback/`), 'by way of the gateway');
    const manifest = await request(session.hlsUrl);
    t.match(await manifest.body.text(), /^#EXTM3U/);
    t.equal(await sessionsToday(), 1);
  });

  await t.test('errors say what they say in one process', async (t) => {
    t.match(await play({ titleId: 'title_unknown-unknown' }), {
      status: 404,
      headers: { 'content-type': /problem\+json/ },
      json: { code: 'TITLE_UNKNOWN' },
    });
    t.match(await play({ titleId, more: 1 }), { status: 400, json: { code: 'INVALID' } });
    t.match(await plane.call('GET /v1/playback/x/master.m3u8', { token: '' }), {
      status: 403,
      json: { code: 'TOKEN_INVALID' },
    });
    const search = 'GET /v1/search/titles?q=a';
    t.match(await plane.call(search, { token: '' }), { status: 401, json: { code: 'CREDENTIAL_MISSING' } });
    t.match(await plane.call(search, { token: 'a.b.c' }), {
      status: 401,
      json: { code: 'CREDENTIAL_INVALID' },
    });
    const proof = await encoder.proof('GET /v1/search/titles');
    t.match(await plane.call(search, { token: proof }), { status: 403, json: { code: 'FORBIDDEN' } });
    t.match(await plane.call(search, { token: proof }), { status: 401 }, 'no proof is taken twice');
  });

  await t.test('what services ask of one another is for nobody else', async (t) => {
    const internal = plane.routes.filter((route) => route.includes('/v1/internal/'));
    t.ok(internal.length >= 10, `${internal.length} routes`);
    const callers = await makeCallers(plane);
    const own = (await readFile(plane.tokenFile, 'utf8')).trim();
    const writer = await callers.accessToken({ sub: 'x', role: 'operator', scope: 'internal:write' });
    for (const route of internal) {
      const path = route as `POST /${string}`;
      for (const caller of callerNames) {
        const credential = await callers.credential(caller, path);
        const answer = await plane.call(path, { token: credential, body: [] });
        // Bodies are looked at once the credential has been.
        const isKind = caller === 'service' && answer.status === 400;
        t.ok(isKind || [401, 403].includes(answer.status), `${caller} ${route}: ${answer.text}`);
      }
      t.match(await plane.call(path, { token: writer, body: [] }), { status: 403 });
      t.match(await plane.call(path, { token: own, body: [] }), { status: 400, json: { code: 'INVALID' } });
    }
    const service = await callers.accessToken({ sub: 'steering', role: 'service' });
    for (const path of [
      'POST /v1/internal/core/steering-tokens/forSteering',
      'POST /v1/internal/core/credentials/access',
    ] as const)
      t.match(await plane.call(path, { token: service, body: path.endsWith('access') ? { token } : {} }), {
        status: 403,
        json: { code: 'FORBIDDEN' },
      });
  });

  await t.test('one that is away is missed alone, and goes on where it was', async (t) => {
    await plane.stopService('playback');
    t.equal(await sessionsToday(), null);
    t.match(await play({ titleId }), { status: 503, json: { code: 'UNAVAILABLE' } });
    t.match(await found('solaris'), [{ id: titleId }]);
    await plane.startService('playback');
    // Its circuit may be open for some seconds.
    await until(
      () => play({ titleId }),
      ({ status }) => status === 201,
    );
    t.equal(await sessionsToday(), 2);

    await plane.stopService('search');
    await plane.call(`PATCH /v1/titles/${titleId}`, { body: { name: 'Stalker' } });
    await plane.startService('search');
    t.match(await finds('stalker'), [{ id: titleId, name: 'Stalker' }]);
    await plane.call(`PATCH /v1/titles/${titleId}`, { body: { name: 'Nostalghia' } });
    t.match(await finds('nostalghia'), [{ id: titleId }], 'and hears of what changes');
  });

  await t.test('without the core the others say so, and say why', async (t) => {
    const made = await plane.call('POST /v1/access-tokens', {
      body: { role: 'viewer', sub: 'two', ttlS: 600 },
    });
    await plane.stop();
    const answer = await request(`${plane.urls.search}/v1/search/titles?q=a`, {
      headers: { authorization: `Bearer ${made.as(AccessTokenReply).token}` },
    });
    t.equal(answer.statusCode, 503);
    t.match(await answer.body.json(), { code: 'UNAVAILABLE', detail: /^core: / });
  });
});

t.test('a service whose whereabouts nobody tells does not start', async (t) => {
  for (const [flags, message] of [
    [['--services', 'search'], /--service-urls does not say where core runs/],
    [['--services', 'search', '--service-urls', 'core=http://a'], /--service-token-file/],
    [['--services', 'core'], /does not say where playback runs/],
    [['--service-urls', 'billing=http://a'], /is not like/],
    [['--service-urls', 'search=http://a/b'], /is not like/],
    [['--service-urls', 'search=http://a', '--service-urls', 'search=http://b'], /runs in one process/],
  ] as const)
    await t.rejects(startPlane(t, { flags }), { code: 'CONFIG_INVALID', message });
});
