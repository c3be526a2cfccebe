import { join } from 'node:path';
import Database from 'better-sqlite3';
import t, { type Test } from 'tap';

import { AccountView } from '../../../../common/contract/accounts.ts';
import { PlaybackSession } from '../../../../common/contract/playback.ts';
import { ProfileList, ProfileView, UnlockReply } from '../../../../common/contract/profiles.ts';
import { TitleList } from '../../../../common/contract/titles.ts';
import {
  ContinueWatching,
  MyList,
  Ratings,
  ViewingBatchReply,
  ViewingHistory,
} from '../../../../common/contract/viewing.ts';
import { addTitle } from '../../support/add-title.ts';
import {
  enrolNode,
  startPlane,
  temporaryDir,
  type Answer,
  type TestPlane,
} from '../../support/control-plane.ts';
import { addPerson } from '../../support/sign-in.ts';
import { until } from '../../support/until.ts';

t.setTimeout(90_000);

/** Somebody with an account, and with a token of it. */
async function addViewer(plane: TestPlane, name: string): Promise<{ account: AccountView; token: string }> {
  const account = await addPerson(plane, { email: `${name}@example.com`, role: 'viewer', name });
  const body = { role: 'viewer', sub: account.id, ttlS: 3600 };
  const { token } = (await plane.call('POST /v1/access-tokens', { body })).json as { token: string };
  return { account, token };
}

async function addProfile(plane: TestPlane, token: string, fields: object): Promise<ProfileView> {
  return (await plane.call('POST /v1/profiles', { token, body: fields })).as(ProfileView);
}

t.test('profiles of households', async (t) => {
  const plane = await startPlane(t);
  const { account, token } = await addViewer(plane, 'ada');
  const other = await addViewer(plane, 'bob');
  const add = (body: object, as = token): Promise<Answer> =>
    plane.call('POST /v1/profiles', { token: as, body });

  t.test('are added, listed, changed and removed by those of the account', async (t) => {
    const wanted = {
      name: '  Zoe\u0308 ',
      avatar: 'fox',
      language: 'EN-gb',
      timeZone: 'Europe/Berlin',
      maturityMax: 7,
    };
    const made = (await add(wanted)).as(ProfileView);
    t.match(made, {
      ...{ accountId: account.id, name: 'Zoë', avatar: 'fox', language: 'en-GB', timeZone: 'Europe/Berlin' },
      ...{ maturityMax: 7, locked: false, autoplay: true },
    });
    const path = `/v1/profiles/${made.id}` as const;
    const changes = { name: 'Zed', language: null, autoplay: false };
    const after = (await plane.call(`PATCH ${path}`, { token, body: changes })).as(ProfileView);
    t.match(after, { name: 'Zed', autoplay: false, timeZone: 'Europe/Berlin' });
    t.notOk('language' in after);
    t.strictSame((await plane.call(`GET ${path}`, { token })).json, after);
    t.strictSame((await plane.call('GET /v1/profiles', { token })).as(ProfileList).profiles, [after]);
    t.match(await plane.call(`PATCH ${path}`, { token, body: {} }), { status: 400 });
    const unknown = { status: 404, json: { code: 'PROFILE_UNKNOWN' } };
    for (const method of ['GET', 'PATCH', 'DELETE'])
      t.match(
        await plane.call(`${method} ${path}`, {
          token: other.token,
          ...(method === 'PATCH' && { body: { name: 'x' } }),
        }),
        unknown,
        `${method} by another account`,
      );
    const listed = await plane.call(`GET /v1/profiles?account=${account.id}`);
    t.strictSame(listed.as(ProfileList).profiles, [after], 'an operator sees them');
    t.match(await plane.call(`GET /v1/profiles?account=${account.id}`, { token: other.token }), {
      status: 403,
    });
    t.match(await plane.call(`DELETE ${path}`, { token }), { status: 204 });
    t.match(await plane.call(`DELETE ${path}`, { token }), unknown);
    t.strictSame((await plane.call('GET /v1/profiles', { token })).json, { profiles: [] });
  });

  t.test('have names, languages and zones that there are, and are not many', async (t) => {
    for (const body of [
      { name: '\u202eevil' },
      { name: ' ' },
      { name: 'x', language: 'not a tag' },
      { name: 'x', language: 'x' },
      { name: 'x', timeZone: 'Europe/Atlantis' },
      { name: 'x', avatar: '../../etc' },
      { name: 'x', maturityMax: 19 },
      { name: 'x', pin: '12' },
      { name: 'x', pinHash: 'x' },
    ])
      t.match(await add(body), { status: 400 }, JSON.stringify(body));
    const names = Array.from({ length: 8 }, (_, at) => `家族 ${at}`);
    const made = await Promise.all([...names, names[0]!].map((name) => add({ name })));
    t.strictSame(made.map(({ status }) => status).sort(), [...Array<number>(8).fill(201), 409]);
    t.match(await add({ name: 'one more' }), { status: 409, json: { code: 'PROFILES_TOO_MANY' } });
    const [first] = (await plane.call('GET /v1/profiles', { token })).as(ProfileList).profiles;
    const taken = await plane.call(`PATCH /v1/profiles/${first!.id}`, { token, body: { name: '家族 5' } });
    t.match(taken, { status: 409, json: { code: 'PROFILE_NAME_TAKEN' } });
    t.match(await add({ name: 'x', account: 'usr_nobodynobody' }, plane.operator), {
      json: { code: 'ACCOUNT_UNKNOWN' },
    });
    t.match(await add({ name: 'x', account: account.id }, other.token), { status: 403 });
  });

  t.test('are locked by a PIN, which guards the others too', async (t) => {
    const { token } = other;
    const parent = await addProfile(plane, token, { name: 'Parent', pin: '2468' });
    t.equal(parent.locked, true);
    const locked = { status: 403, json: { code: 'PROFILE_LOCKED' } };
    const history = `GET /v1/profiles/${parent.id}/history` as const;
    t.match(await plane.call(history, { token }), locked);
    t.match(await add({ name: 'Child', maturityMax: 6 }, token), locked);
    const unlock = (pin: string): Promise<Answer> =>
      plane.call(`POST /v1/profiles/${parent.id}/unlock`, { token, body: { pin } });
    t.match(await unlock('1111'), { status: 403, json: { code: 'PIN_WRONG' } });
    const shown = (await unlock('2468')).as(UnlockReply);
    const headers = { 'profile-unlock': shown.unlock };
    t.match(await plane.call(history, { token, headers }), { status: 200 });
    const child = await plane.call('POST /v1/profiles', { token, headers, body: { name: 'Child' } });
    t.match(child, { status: 201 });
    const { id } = child.as(ProfileView);
    t.match(await plane.call(`PATCH /v1/profiles/${id}`, { token, body: { maturityMax: 18 } }), locked);
    t.match(await plane.call(`GET /v1/profiles/${id}/history`, { token }), { status: 200 });
    for (const forged of ['', 'x', shown.unlock.replace(/^\d/, '9'), `${shown.unlock}x`, `9${shown.unlock}`])
      t.match(await plane.call(history, { token, headers: { 'profile-unlock': forged } }), locked, forged);
    const changed = await plane.call(`PATCH /v1/profiles/${parent.id}`, {
      token,
      headers,
      body: { pin: '13579' },
    });
    t.match(changed, { status: 200 });
    t.match(
      await plane.call(history, { token, headers }),
      locked,
      'another PIN ends what the one before let in',
    );
    for (let tries = 0; tries < 5; tries++) await unlock('0000');
    t.match(await unlock('13579'), { status: 429, json: { code: 'RATE_LIMITED' } }, 'guessing is slow');
    const opened = await plane.call(`PATCH /v1/profiles/${parent.id}`, { body: { pin: null } });
    t.match(opened.as(ProfileView), { locked: false }, 'an operator takes a forgotten PIN away');
    t.match(await plane.call(history, { token }), { status: 200 });
  });

  t.test('are changed with the PIN of one that sees as much, which no child has', async (t) => {
    const { token } = await addViewer(plane, 'cleo');
    const parent = await addProfile(plane, token, { name: 'Parent', pin: '2468' });
    const showing = async ({ id }: ProfileView, pin: string) => {
      const reply = await plane.call(`POST /v1/profiles/${id}/unlock`, { token, body: { pin } });
      return { token, headers: { 'profile-unlock': reply.as(UnlockReply).unlock } };
    };
    const byParent = await showing(parent, '2468');
    const make = (by: object, body: object) => plane.call('POST /v1/profiles', { ...by, body });
    const child = (await make(byParent, { name: 'Child', maturityMax: 6, pin: '1357' })).as(ProfileView);
    const teen = (await make(byParent, { name: 'Teen', maturityMax: 12 })).as(ProfileView);
    const byChild = await showing(child, '1357');
    const locked = { status: 403, json: { code: 'PROFILE_LOCKED' } };
    const set = ({ id }: ProfileView, by: object, body: object) =>
      plane.call(`PATCH /v1/profiles/${id}`, { ...by, body });
    t.match(await set(child, byChild, { maturityMax: 7 }), locked, 'its own limit');
    t.match(await set(teen, byChild, { name: 'Mine' }), locked, 'another with a higher one');
    t.match(await set(parent, byChild, { pin: null }), locked);
    t.match(await plane.call(`DELETE /v1/profiles/${parent.id}`, byChild), locked);
    t.match(await make(byChild, { name: 'Big' }), locked, 'a new one sees all where nothing is said');
    t.match(await make(byChild, { name: 'Doll', maturityMax: 6 }), { status: 201 });
    t.match(await set(child, byChild, { avatar: 'fox', maturityMax: 0 }), { status: 200 });
    t.match(await set(child, byParent, { maturityMax: 18 }), { status: 200 });
    const reads = { captions: { language: 'DE', kind: 'captions' }, audioLanguage: 'en-gb' };
    const chosen = (await set(child, byChild, reads)).as(ProfileView);
    t.match(chosen, { captions: { language: 'de', kind: 'captions' }, audioLanguage: 'en-GB' });
    t.match(await set(teen, { token }, { captions: 'off' }), { status: 200, json: { captions: 'off' } });
    t.match(await set(child, { token }, reads), locked, 'whoever watches chooses, nobody else');
    t.match(await set(teen, { token }, { captions: 'off', name: 'Mine' }), locked, 'and nothing beside it');
    const plain = (await set(child, byChild, { captions: null, audioLanguage: null })).as(ProfileView);
    t.notOk('captions' in plain || 'audioLanguage' in plain);
    t.match(await set(teen, { token }, { captions: { language: 'x', kind: 'captions' } }), { status: 400 });
  });

  const picture = await plane.call('GET /avatars/fox.svg', { token: '' });
  t.match(picture, {
    status: 200,
    headers: { 'content-type': /^image\/svg\+xml/ },
    text: /^<svg [^]*<\/svg>\n$/,
  });
  t.match(await plane.call('GET /avatars/passwd.svg', { token: '' }), { status: 400 });
});

/** A control plane with a title that is live, a viewer and its profile. */
async function openLab(t: Test) {
  const dataDir = await temporaryDir(t);
  const plane = await startPlane(t, { dataDir, flags: ['--ingest-roots', dataDir, '--lease-ms', '10m'] });
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const origin = await enrolNode(plane, 'origin', { role: 'origin' });
  await origin.beat();
  const film = await addTitle(plane, encoder, { name: 'Solaris' });
  const second = await addTitle(plane, encoder, { name: 'Stalker' });
  const { titles } = await until(
    async () => (await plane.call('GET /v1/titles')).as(TitleList),
    ({ titles: all }) => all.every(({ state }) => state === 'live'),
  );
  const { durationMs = 0 } = titles.find(({ id }) => id === film.id)!;
  const { token } = await addViewer(plane, 'ada');
  const profile = await addProfile(plane, token, { name: 'Ada' });
  const path = `/v1/profiles/${profile.id}` as const;
  const nowMs = Date.now();
  let sequence = 0;
  const report = (deviceId: string, reports: object[], sentAtMs = Date.now()): Promise<Answer> =>
    plane.call(`POST ${path}/viewing`, { token, body: { deviceId, sentAtMs, reports } });
  const said = (kind: string, more: object) => ({
    ...{ kind, titleId: film.id, sequence: sequence++, atMs: nowMs },
    ...more,
  });
  const progress = (more: object) =>
    said('progress', {
      viewingId: 'viewing-1',
      startedAtMs: nowMs - 3_600_000,
      positionMs: 0,
      watchedMs: 0,
      ...more,
    });
  const read = (what: string): Promise<Answer> => plane.call(`GET ${path}/${what}`, { token });
  return { plane, token, profile, film, second, durationMs, nowMs, report, said, progress, read };
}

t.test('what profiles watch', async (t) => {
  const lab = await openLab(t);
  const { plane, token, profile, film, second, durationMs, nowMs, report, said, progress, read } = lab;
  const half = Math.floor(durationMs / 2);
  const continued = async () => (await read('continue-watching')).as(ContinueWatching).titles;
  const session = async (body: object): Promise<Answer> =>
    plane.call('POST /v1/playback-sessions', { token, body: { titleId: film.id, ...body } });

  t.test('goes on where it ended, whichever device reports first', async (t) => {
    const late = progress({ atMs: nowMs - 1000, positionMs: half, watchedMs: 20 });
    const early = progress({
      atMs: nowMs - 9000,
      positionMs: half - 500,
      watchedMs: 10,
      viewingId: 'viewing-2',
    });
    t.match((await report('the-tv-00', [late])).as(ViewingBatchReply), { accepted: 1, refused: [] });
    t.match((await report('the-phone', [early, early])).as(ViewingBatchReply), { accepted: 2 });
    t.match((await report('the-tv-00', [late])).as(ViewingBatchReply), { accepted: 1 });
    t.strictSame(await continued(), [
      { titleId: film.id, name: 'Solaris', durationMs, positionMs: half, atMs: nowMs - 1000 },
    ]);
    t.match((await session({ profileId: profile.id })).as(PlaybackSession), { resumeMs: half });
    t.notOk('resumeMs' in (await session({})).as(PlaybackSession));
    const stranger = await addViewer(plane, 'eve');
    const body = { titleId: film.id, profileId: profile.id };
    t.match(await plane.call('POST /v1/playback-sessions', { token: stranger.token, body }), {
      status: 404,
      json: { code: 'PROFILE_UNKNOWN' },
    });
  });

  t.test('is read page by page, and forgotten when it is to be', async (t) => {
    const viewings = [3, 2, 1].map((hours) =>
      progress({
        ...{ titleId: second.id, viewingId: `other-v-${hours}`, startedAtMs: nowMs - hours * 3_600_000 - 1 },
        ...{ atMs: nowMs - hours * 3_600_000 + 60_000, watchedMs: 50_000, positionMs: half },
      }),
    );
    await report('the-tv-00', viewings);
    const seen: string[] = [];
    for (let before = ''; ;) {
      const page = (await read(`history?limit=2${before}`)).as(ViewingHistory);
      seen.push(...page.viewings.map(({ viewingId }) => viewingId));
      if (page.next === undefined) break;
      before = `&before=${page.next}`;
    }
    t.strictSame(seen, ['viewing-2', 'viewing-1', 'other-v-1', 'other-v-2', 'other-v-3']);
    const [newest] = (await read('history?limit=500')).as(ViewingHistory).viewings.slice(-1);
    t.match(newest, { viewingId: 'other-v-3', name: 'Stalker', watchedMs: 50_000 });
    await report('the-phone', [said('forget', { titleId: second.id, atMs: nowMs - 5_000_000 })]);
    const rest = (await read('history')).as(ViewingHistory).viewings.map(({ viewingId }) => viewingId);
    t.strictSame(rest.toSorted(), ['other-v-1', 'viewing-1', 'viewing-2'], 'what was watched until then');
    t.match(await read('history?before=x'), { status: 400 });
  });

  t.test('has a list and ratings of which the latest count', async (t) => {
    await report('the-tv-00', [
      said('list', { listed: true, atMs: nowMs - 100 }),
      said('list', { titleId: second.id, listed: true, atMs: nowMs - 50 }),
      said('rating', { rating: 'love', atMs: nowMs - 100 }),
      said('rating', { titleId: second.id, rating: 'down' }),
    ]);
    await report('the-phone', [
      said('list', { listed: false, atMs: nowMs - 200 }),
      said('rating', { titleId: second.id, rating: 'none', atMs: nowMs + 1 }),
    ]);
    const list = (await read('my-list')).as(MyList).titles.map(({ name }) => name);
    t.strictSame(list, ['Stalker', 'Solaris'], 'what was put there last first');
    await report('the-phone', [said('list', { listed: false, atMs: nowMs - 99 })]);
    t.match((await read('my-list')).as(MyList).titles, [{ name: 'Stalker' }]);
    t.strictSame((await read('ratings')).as(Ratings).ratings, [
      { titleId: film.id, rating: 'love', atMs: nowMs - 100 },
    ]);
  });

  t.test('is refused where it cannot be, report by report', async (t) => {
    const before = await continued();
    const answer = await report('the-tv-00', [
      progress({ positionMs: durationMs + 60_000 }),
      progress({ atMs: nowMs + 3_600_000 }),
      progress({ titleId: 'title_nobodynobody' }),
      progress({ positionMs: durationMs + 1, viewingId: 'the-end-1' }),
      said('list', { listed: true, atMs: 1 }),
    ]);
    t.match(answer.as(ViewingBatchReply), {
      accepted: 1,
      refused: [
        { index: 0, code: 'POSITION_BEYOND_END' },
        { index: 1, code: 'VIEWING_TIME_INVALID' },
        { index: 2, code: 'TITLE_UNKNOWN' },
        { index: 4, code: 'VIEWING_TIME_INVALID' },
      ],
    });
    t.equal((await continued()).length, before.length - 1, 'it has come to its end');
    for (const wrongMs of [-3_600_000, 3_600_000])
      t.match(await report('the-tv-00', [said('list', { listed: true })], Date.now() + wrongMs), {
        status: 409,
        json: { code: 'DEVICE_CLOCK_WRONG' },
      });
    for (const bad of [
      { positionMs: -1 },
      { positionMs: 0.5 },
      { positionMs: 1e12 },
      { viewingId: '' },
      { more: 1 },
    ])
      t.match(await report('the-tv-00', [progress(bad)]), { status: 400 }, JSON.stringify(bad));
    t.match(await report('no device', [progress({})]), { status: 400 });
    t.match(await report('the-tv-00', []), { status: 400 });
    const operator = await plane.call(`GET /v1/profiles/${profile.id}/history`);
    t.match(operator, { status: 403 }, 'it is nobody else’s business');
  });

  t.test('goes with its profile, late reports too', async (t) => {
    const gone = { status: 404, json: { code: 'PROFILE_UNKNOWN' } };
    const [removed] = await Promise.all([
      plane.call(`DELETE /v1/profiles/${profile.id}`, { token }),
      ...Array.from({ length: 20 }, () => report('the-tv-00', [progress({ positionMs: half })])),
    ]);
    t.equal(removed.status, 204);
    t.match(await report('the-tv-00', [progress({ positionMs: half })]), gone);
    t.match(await read('my-list'), gone);
    await plane.stop();
    const file = new Database(join(plane.dataDir, 'records', 'viewing.db'), { readonly: true });
    for (const table of ['registers', 'viewings'])
      t.strictSame(file.prepare(`SELECT * FROM ${table}`).all(), [], `nothing is left in ${table}`);
    file.close();
  });
});
