import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import t, { type Test } from 'tap';
import { request } from 'undici';

import type { BackupList } from '../../../common/contract/backups.ts';
import { PlaybackSession } from '../../../common/contract/playback.ts';
import { SignUpReply } from '../../../common/contract/procedures.ts';
import { ProfileView } from '../../../common/contract/profiles.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { serviceNames } from '../../../control-plane/apart/interface.ts';
import { describeApart } from '../../../control-plane/apart/describe.ts';
import { restoreBackup } from '../../../control-plane/restore.ts';
import { startApart, type ApartPlane } from '../support/apart.ts';
import { callerNames, makeCallers } from '../support/callers.ts';
import { startPlane, temporaryDir, type TestPlane } from '../support/control-plane.ts';
import { until } from '../support/until.ts';
import {
  askToSignUp,
  openWorld,
  rowsOf,
  seeRow,
  servedBy,
  tellPlayed,
  wholeSuite,
  type World,
} from './whole.ts';

t.setTimeout(120_000);

const flagsIn = (dataDir: string) => ['--ingest-roots', dataDir, '--lease-ms', '1h'];

t.test('a control plane in one process', async (t) => {
  const dataDir = await temporaryDir(t);
  const plane = await startPlane(t, { dataDir, flags: flagsIn(dataDir) });
  await wholeSuite(t, await openWorld(plane));
});

t.test('services that run apart are one control plane', async (t) => {
  const dataDir = await temporaryDir(t);
  const plane = await startApart(t, { dataDir, flags: flagsIn(dataDir) });
  const world = await openWorld(plane);
  await wholeSuite(t, world);
  await t.test('what services ask of one another is for nobody else', (t) => internalRoutes(t, plane));
  await t.test('each keeps backups of its own', (t) => backups(t, plane));
  await t.test('the whole is described', (t) => description(t, plane));
  await t.test('one that is away is missed alone, and goes on where it was', (t) =>
    away(t, { plane, world }),
  );
  await t.test('without recommendations there are no rows, and all else goes on', (t) =>
    withoutRecommendations(t, { plane, world }),
  );
  await t.test('without events nothing is counted, and afterwards nothing twice', (t) =>
    withoutEvents(t, { plane, world }),
  );
  await t.test('without the core the others say so, and say why', (t) => withoutCore(t, { plane, world }));
});

async function internalRoutes(t: Test, plane: ApartPlane): Promise<void> {
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
  for (const scope of ['internal:write', 'read internal:write'])
    t.match(
      await plane.call('POST /v1/access-tokens', { body: { role: 'service', sub: 'x', ttlS: 600, scope } }),
      { status: 403, json: { code: 'FORBIDDEN' } },
      'nor does anybody get such a token',
    );
  const service = await callers.accessToken({ sub: 'steering', role: 'service' });
  for (const path of [
    'POST /v1/internal/core/steering-tokens/forSteering',
    'POST /v1/internal/core/user-accounts/exists',
  ] as const)
    t.match(
      await plane.call(path, { token: service, body: path.endsWith('exists') ? { accountId: 'x' } : {} }),
      {
        status: 403,
        json: { code: 'FORBIDDEN' },
      },
    );
  const accounts = 'POST /v1/internal/core/procedure-accounts' as const;
  const person = { email: 'mallory@example.com', name: 'Mallory', password: 'seven grey elephants knit' };
  const draft = await plane.call(`${accounts}/draft`, { token: own, body: person });
  const admin = { ...(draft.json as { id: string }), role: 'admin' };
  t.equal((await plane.call(`${accounts}/keep`, { token: own, body: admin })).status, 200);
  t.match(
    await plane.call(`GET /v1/accounts/${admin.id}`),
    { json: { role: 'viewer' } },
    'none may make admins',
  );
  await plane.call(`PATCH /v1/accounts/${admin.id}`, { body: { role: 'operator' } });
  const gone = await plane.call(`${accounts}/erase`, { token: own, body: { account: admin.id } });
  t.match(gone, { status: 409 }, 'or remove who is more than a viewer');
  for (const [name, url] of plane.urls) {
    const answer = await request(`${url}/v1/internal/users/viewer-rights/of`, { method: 'POST' });
    t.ok([401, 404].includes(answer.statusCode), name);
    await answer.body.dump();
    for (const [token, status] of [
      ['', 401],
      [plane.operator, 403],
      [service, 403],
      [writer, 403],
      [own, 200],
    ] as const) {
      const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
      const described = await request(`${url}/openapi.json`, { headers });
      t.equal(described.statusCode, status, `${name} describes itself to the gateway alone`);
      await described.body.dump();
    }
  }
}

async function backups(t: Test, plane: ApartPlane): Promise<void> {
  const headers = { authorization: `Bearer ${plane.operator}` };
  for (const [name, files] of [
    ['users', 2],
    ['billing', 2],
    ['recommendations', 1],
    ['events', 1],
  ] as const) {
    const url = `${plane.urls.get(name) ?? ''}/v1/backups`;
    t.equal((await request(url, { method: 'POST', headers })).statusCode, 202);
    const made = await until(
      async () => (await (await request(url, { headers })).body.json()) as BackupList,
      ({ work }) => work?.state !== 'running',
    );
    t.match(made, { work: { state: 'done' }, backups: [{ name: new RegExp(`^nearcast-${name}-2`) }] });
    const archive = join(plane.dataDir, `of-${name}`, 'backups', made.backups[0]?.name ?? '');
    const dataDir = join(plane.dataDir, `restored-${name}`);
    const quiet = { signal: new AbortController().signal, onProgress: () => undefined };
    const report = await restoreBackup({ archive, dataDir, force: false, ...quiet });
    t.match(report, { files }, 'its own records, and no keys');
  }
}

async function description(t: Test, plane: ApartPlane): Promise<void> {
  const alone = await startPlane(t);
  const read = async (from: TestPlane, path: `/${string}`) =>
    (await from.call(`GET ${path}`, { token: '' })).json as { paths: Record<string, unknown> };
  const whole = await read(alone, '/openapi.json');
  const isInternal = (path: string) => path.startsWith('/v1/internal/');
  for (const path of ['/openapi.json', '/docs/json'] as const) {
    const { paths } = await read(plane, path);
    const shown = Object.fromEntries(Object.entries(paths).filter(([one]) => !isInternal(one)));
    t.strictSame(shown, whole.paths, path);
  }
}

async function away(t: Test, { plane, world }: { plane: ApartPlane; world: World }): Promise<void> {
  const { titleId, find, play, sessionsToday } = world;
  const { account } = (await askToSignUp(plane, { key: 'away', email: 'max@example.com' })).as(SignUpReply);
  const token = await world.tokenOf(account);
  const before = Number(await sessionsToday());
  await plane.stopService('playback');
  t.equal(await sessionsToday(), null);
  t.match(await play(token, { titleId }), { status: 503, json: { code: 'UNAVAILABLE' } });
  t.match(await find(token, 'solaris'), [{ id: titleId }]);
  await plane.startService('playback');
  // Its circuit may be open for some seconds.
  await until(
    () => play(token, { titleId }),
    ({ status }) => status === 201,
  );
  t.equal(await sessionsToday(), before + 1);

  await plane.stopService('search');
  await plane.call(`PATCH /v1/titles/${titleId}`, { body: { name: 'Stalker' } });
  await plane.startService('search');
  const finds = (text: string) =>
    until(
      () => find(token, text),
      (hits) => hits.length > 0,
    );
  t.match(await finds('stalker'), [{ id: titleId, name: 'Stalker' }]);
  await plane.call(`PATCH /v1/titles/${titleId}`, { body: { name: 'Nostalghia' } });
  t.match(await finds('nostalghia'), [{ id: titleId }], 'and hears of what changes');
}

async function withoutRecommendations(t: Test, { plane, world }: { plane: ApartPlane; world: World }) {
  const { titleId, tokenOf, play, find } = world;
  const { account } = (await askToSignUp(plane, { key: 'rows', email: 'mia@example.com' })).as(SignUpReply);
  const token = await tokenOf(account);
  const [row] = await until(
    () => rowsOf(world, token),
    (found) => found.length > 0,
  );
  const { id: profileId } = (await plane.call('POST /v1/profiles', { token, body: { name: 'Ida' } })).as(
    ProfileView,
  );
  const ticket = row?.ticket ?? '';
  await plane.stopService('recommendations');
  t.match(await plane.call('GET /v1/rows', { token }), { status: 503, json: { code: 'UNAVAILABLE' } });
  t.equal((await play(token, { titleId })).status, 201);
  t.match(await find(token, 'nostalghia'), [{ id: titleId }]);
  const seen = await seeRow(plane, token, { id: 'seen-alone0', ticket });
  t.match(seen, { status: 503, json: { code: 'UNAVAILABLE' } }, 'what nobody can prove now is told again');
  t.equal((await plane.call(`DELETE /v1/profiles/${profileId}`, { token })).status, 204);
  await plane.call(`PATCH /v1/titles/${titleId}`, { body: { name: 'Mirror' } });
  await plane.startService('recommendations');
  const rows = await until(
    () => rowsOf(world, token),
    (found) => found.length > 0,
  );
  t.match(rows, [{ titles: [{ titleId, name: 'Mirror' }] }]);
  const again = await until(
    () => seeRow(plane, token, { id: 'seen-alone0', ticket }),
    ({ status }) => status !== 503,
  );
  t.match(again, { json: { accepted: 1 } }, 'its tickets outlive it');
}

async function withoutEvents(t: Test, { plane, world }: { plane: ApartPlane; world: World }): Promise<void> {
  const { titleId, origin, tokenOf, play } = world;
  const { account } = (await askToSignUp(plane, { key: 'log', email: 'kim@example.com' })).as(SignUpReply);
  const viewer = await tokenOf(account);
  const session = (await play(viewer, { titleId })).as(PlaybackSession);
  const { bundle, eventsToken } = session;
  const before = await servedBy(world);
  const outage = { code: 'UNAVAILABLE' };
  await plane.stopService('events');
  t.match(await tellPlayed(plane, eventsToken, 'told-again0'), { status: 503, json: outage });
  t.match(await origin.serve({ [bundle]: 700 }), { status: 503, json: outage });
  t.match(await plane.call('GET /v1/reports/qoe'), { status: 503, json: outage });
  t.equal((await play(viewer, { titleId })).status, 201, 'no session waits for what counts it');
  t.equal(await servedBy(world), before, 'what was learned is known');
  await plane.startService('events');
  const told = await until(
    () => tellPlayed(plane, eventsToken, 'told-again0'),
    ({ status }) => status !== 503,
  );
  t.match(told, { json: { accepted: 1, duplicates: 0 } });
  t.match(await tellPlayed(plane, eventsToken, 'told-again0'), { json: { accepted: 0, duplicates: 1 } });
  t.match((await origin.serve({ [bundle]: 700 }, { sequence: 2 })).json, { outcome: 'taken' });
  await until(
    () => servedBy(world),
    (bytes) => bytes === before + 700,
  );

  t.match((await origin.serve({ [bundle]: 11 }, { sequence: 3 })).json, { outcome: 'taken' });
  await plane.stopCore();
  await plane.startCore();
  await until(
    () => servedBy(world),
    (bytes) => bytes === before + 711,
  );
  await plane.stopService('events');
  await plane.startService('events');
  const next = await until(
    () => origin.serve({ [bundle]: 5 }, { sequence: 4 }),
    ({ status }) => status !== 503,
  );
  t.match(next.json, { outcome: 'taken' });
  await until(
    () => servedBy(world),
    (bytes) => bytes === before + 716,
  );
}

async function withoutCore(t: Test, { plane, world }: { plane: ApartPlane; world: World }): Promise<void> {
  const token = await world.tokenOf('two');
  await plane.stopCore();
  const answer = await request(`${plane.urls.get('search') ?? ''}/v1/search/titles?q=a`, {
    headers: { authorization: `Bearer ${token}` },
  });
  t.equal(answer.statusCode, 503);
  t.match(await answer.body.json(), { code: 'UNAVAILABLE', detail: /^core: / });
}

t.test(
  'who is away is left out of the description until it is back; strangers cost no service more',
  async (t) => {
    const clock = createManualClock();
    let [asked, isAway] = [0, true];
    const describe = describeApart({
      callers: {
        describe: async (service) => {
          asked++;
          if (service === 'users' && isAway) throw coded('UNAVAILABLE');
          return { '/v1/profiles': {}, '/v1/plans/{id}': {}, '/v1/plansible': {}, '/healthz': {} };
        },
      },
      here: serviceNames.filter((name) => name !== 'users' && name !== 'billing'),
      ...{ clock, log: createSilentLog() },
    });
    t.strictSame(await describe(), [{}, { '/v1/plans/{id}': {} }]);
    await describe();
    t.equal(asked, 2);
    isAway = false;
    await clock.advance(5000);
    t.strictSame(await describe(), [{ '/v1/profiles': {} }, { '/v1/plans/{id}': {} }]);
  },
);

t.test('a service whose whereabouts nobody tells does not start', async (t) => {
  for (const [flags, message] of [
    [['--services', 'search'], /--service-urls does not say where users runs/],
    [['--services', 'users'], /--service-urls does not say where recommendations runs/],
    [['--services', 'billing'], /--service-urls does not say where events runs/],
    [['--services', 'billing', '--service-urls', 'events=http://a'], /--service-token-file/],
    [
      ['--services', 'core'],
      /does not say where (billing|users|playback|recommendations|events|search) runs/,
    ],
    [['--service-urls', 'sales=http://a'], /is not like/],
    [['--service-urls', 'search=http://a/b'], /is not like/],
    [['--service-urls', 'search=http://a', '--service-urls', 'search=http://b'], /runs in one process/],
  ] as const)
    await t.rejects(startPlane(t, { flags }), { code: 'CONFIG_INVALID', message });
});
