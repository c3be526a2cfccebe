import type { Test } from 'tap';
import { request } from 'undici';

import { AuditPage } from '../../../common/contract/audit.ts';
import { AccountExport, AccountList, AccountView } from '../../../common/contract/accounts.ts';
import { AccessTokenReply } from '../../../common/contract/credentials.ts';
import { EventLogView } from '../../../common/contract/event-log-view.ts';
import { NodeView } from '../../../common/contract/nodes.ts';
import { PlaybackSession } from '../../../common/contract/playback.ts';
import { SignUpReply } from '../../../common/contract/procedures.ts';
import { QoeReport } from '../../../common/contract/qoe.ts';
import { RowsReply } from '../../../common/contract/rows.ts';
import { ProfileList, ProfileView, UnlockReply } from '../../../common/contract/profiles.ts';
import { TitleSearchReply } from '../../../common/contract/search.ts';
import { TitleView } from '../../../common/contract/titles.ts';
import { UsageSums } from '../../../common/contract/usage.ts';
import { StatusView } from '../../../common/contract/status.ts';
import { ContinueWatching, MyList } from '../../../common/contract/viewing.ts';
import { addTitle } from '../support/add-title.ts';
import { planOf } from '../support/billing-lab.ts';
import { enrolNode, type Answer, type TestNode, type TestPlane } from '../support/control-plane.ts';
import { until } from '../support/until.ts';

/** A control plane with one title that can be watched, and how a viewer uses it. */
export interface World {
  readonly plane: TestPlane;
  readonly encoder: TestNode;
  readonly origin: TestNode;
  readonly titleId: string;
  tokenOf(sub: string): Promise<string>;
  play(token: string, body: object): Promise<Answer>;
  find(token: string, text: string): Promise<TitleSearchReply['hits']>;
  sessionsToday(): Promise<number | null>;
}

/** Fills a plane; it must have `--ingest-roots <dataDir>`. */
export async function openWorld(plane: TestPlane): Promise<World> {
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const origin = await enrolNode(plane, 'origin', { role: 'origin' });
  await origin.beat();
  const { id: titleId } = await addTitle(plane, encoder, { name: 'Solaris' });
  return {
    ...{ plane, encoder, origin, titleId },
    async tokenOf(sub) {
      const made = await plane.call('POST /v1/access-tokens', { body: { role: 'viewer', sub, ttlS: 600 } });
      return made.as(AccessTokenReply).token;
    },
    play: (token, body) => plane.call('POST /v1/playback-sessions', { token, body }),
    find: async (token, text) =>
      (await plane.call(`GET /v1/search/titles?q=${text}`, { token })).as(TitleSearchReply).hits,
    sessionsToday: async () => (await plane.call('GET /v1/status')).as(StatusView).sessionsToday,
  };
}

/** What a control plane does for people, all of its services with one another, wherever they run. */
export async function wholeSuite(t: Test, world: World): Promise<void> {
  await t.test('a viewer finds a title and plays it', (t) => viewing(t, world));
  await t.test('a viewer is shown rows, and what it sees of them is believed by their tickets', (t) =>
    rows(t, world),
  );
  await t.test('what players and nodes report is counted once, and learned from', (t) => reports(t, world));
  await t.test('errors say what they say in one process', (t) => errors(t, world));
  await t.test('a household has profiles, of which each goes on where it was', (t) => household(t, world));
  await t.test('who signs up has an account, a profile and a subscription, or nothing', (t) =>
    signUp(t, world),
  );
  await t.test('what is watched is usage where a plan has a meter for it', (t) => charged(t, world));
}

async function viewing(
  t: Test,
  { plane, titleId, tokenOf, find, play, sessionsToday }: World,
): Promise<void> {
  const token = await tokenOf('one');
  const hits = await until(
    () => find(token, 'solaris'),
    (found) => found.length > 0,
  );
  t.match(hits, [{ id: titleId, state: 'live' }]);
  const session = (await play(token, { titleId })).as(PlaybackSession);
  t.ok(session.hlsUrl.startsWith(`${plane.url}/v1/playback/`), 'by way of the gateway');
  const manifest = await request(session.hlsUrl);
  t.match(await manifest.body.text(), /^#EXTM3U/);
  t.equal(await sessionsToday(), 1);
}

async function rows(t: Test, world: World): Promise<void> {
  const { plane, titleId, tokenOf } = world;
  const token = await tokenOf('one');
  const [row] = await until(
    () => rowsOf(world, token),
    (found) => found.length > 0,
  );
  t.match(row, { titles: [{ titleId, name: 'Solaris' }] });
  const ticket = row?.ticket ?? '';
  const seen = (more: object) => seeRow(plane, token, { ticket, ...more });
  t.match(await seen({ id: 'seen-once-0' }), { json: { accepted: 1, duplicates: 0 } });
  t.match(await seen({ id: 'seen-again0' }), { json: { accepted: 0, duplicates: 1 } });
  const forged = `${ticket.slice(0, 10)}A${ticket.slice(11)}`;
  t.match(await seen({ id: 'forged-one0', ticket: forged }), { json: { refused: [{ reason: 'ticket' }] } });
  const metadata = `PUT /v1/titles/${titleId}/metadata` as const;
  const put = (more: object) =>
    plane.call(metadata, { body: { name: 'Solaris', ...more }, headers: { 'if-match': '*' } });
  await put({ release: { stage: 'retired' } });
  t.notOk(JSON.stringify(await rowsOf(world, token)).includes(titleId), 'it is gone from that moment on');
  await put({});
  const models = await plane.call('POST /v1/recommendation-models');
  t.equal(models.status, 202);
  t.strictSame(await actsOf(plane, 'POST /v1/recommendation-models'), ['done', 'begun']);
}

/** What the audit log says of an action, the latest first. */
async function actsOf(plane: TestPlane, wanted: string): Promise<string[]> {
  const { entries } = (await plane.call('GET /v1/audit')).as(AuditPage);
  return entries.filter(({ action }) => action === wanted).map(({ outcome }) => outcome);
}

/** The rows that somebody is shown without a profile; none while nobody can tell. */
export async function rowsOf({ plane }: World, token: string): Promise<RowsReply['rows']> {
  const answer = await plane.call('GET /v1/rows', { token });
  return answer.status === 503 ? [] : answer.as(RowsReply).rows;
}

/** Tells that the first place of a row was seen. */
export function seeRow(plane: TestPlane, token: string, more: object): Promise<Answer> {
  const event = { timeMs: plane.clock.nowMs(), type: 'impression', places: [0], ...more };
  return plane.call('POST /v1/events', { token, body: { events: [event] } });
}

async function reports(t: Test, world: World): Promise<void> {
  const { plane, origin, titleId, tokenOf, play } = world;
  const { eventsToken: token, bundle } = (await play(await tokenOf('one'), { titleId })).as(PlaybackSession);
  t.match(await tellPlayed(plane, token, 'first-play-0'), { json: { accepted: 1, duplicates: 0 } });
  t.match(await tellPlayed(plane, token, 'first-play-0'), { json: { accepted: 0, duplicates: 1 } });
  for (const [by, name] of [
    ['title', 'Solaris'],
    ['appliance', 'origin'],
  ] as const)
    await until(
      async () => JSON.stringify((await plane.call(`GET /v1/reports/qoe?by=${by}`)).as(QoeReport).rows),
      (rows) => rows.includes(`{"name":"${name}","plays":1,`),
    );
  t.match((await origin.serve({ [bundle]: 5000 })).json, { outcome: 'taken' });
  t.match((await origin.serve({ [bundle]: 5000 }, { sequence: 1 })).json, { outcome: 'known' });
  await until(
    () => servedBy(world),
    (bytes) => bytes === 5000,
  );
  const { popularity } = (await plane.call(`GET /v1/titles/${titleId}`)).as(TitleView);
  t.ok(popularity > 0, 'it counts where plans are made');
  t.match(await plane.call('GET /v1/reports/savings?site=nowhere'), { status: 404 });

  t.equal((await plane.call('POST /v1/events/exports')).status, 202);
  const log = await until(
    async () => (await plane.call('GET /v1/events/log')).as(EventLogView),
    ({ lastOffset, consumers }) =>
      consumers.length === 4 && consumers.every(({ offset }) => offset === lastOffset),
  );
  t.strictSame(
    log.consumers.map(({ name }) => name),
    ['export', 'popularity', 'qoe', 'rows'],
  );
  t.match(log.export, { events: log.lastOffset, missed: 0 });
  t.strictSame(
    await actsOf(plane, 'POST /v1/events/exports'),
    ['done', 'begun'],
    'and it is in the audit log',
  );
}

/** Tells that a player has begun, once for an id. */
export function tellPlayed(plane: TestPlane, token: string, id: string): Promise<Answer> {
  const event = {
    id,
    timeMs: plane.clock.nowMs(),
    type: 'play',
    positionMs: 0,
    pathway: 'origin',
    startMs: 200,
  };
  return plane.call('POST /v1/events', { token, body: { events: [event] } });
}

/** How many bytes of the origin's reports count. */
export async function servedBy({ plane }: World): Promise<number> {
  return (await plane.call('GET /v1/nodes/origin')).as(NodeView).served?.playBytes ?? 0;
}

async function errors(t: Test, { plane, encoder, titleId, tokenOf, play }: World): Promise<void> {
  const token = await tokenOf('one');
  t.match(await play(token, { titleId: 'title_unknown-unknown' }), {
    status: 404,
    headers: { 'content-type': /problem\+json/ },
    json: { code: 'TITLE_UNKNOWN' },
  });
  t.match(await play(token, { titleId, more: 1 }), { status: 400, json: { code: 'INVALID' } });
  t.match(await plane.call('GET /v1/playback/x/master.m3u8', { token: '' }), {
    status: 403,
    json: { code: 'TOKEN_INVALID' },
  });
  for (const route of [
    'GET /v1/search/titles?q=a',
    'GET /v1/profiles',
    'GET /v1/plans',
    'GET /v1/rows',
    'GET /v1/reports/qoe',
  ] as const) {
    t.match(await plane.call(route, { token: '' }), { status: 401, json: { code: 'CREDENTIAL_MISSING' } });
    t.match(await plane.call(route, { token: 'a.b.c' }), {
      status: 401,
      json: { code: 'CREDENTIAL_INVALID' },
    });
  }
  const search = 'GET /v1/search/titles?q=a';
  const proof = await encoder.proof('GET /v1/search/titles');
  t.match(await plane.call(search, { token: proof }), { status: 403, json: { code: 'FORBIDDEN' } });
  t.match(await plane.call(search, { token: proof }), { status: 401 }, 'no proof is taken twice');
}

async function household(t: Test, { plane, titleId, tokenOf, play, find }: World): Promise<void> {
  const person = {
    email: 'ada@example.com',
    name: 'Ada',
    role: 'viewer',
    password: 'seven grey elephants knit',
  };
  const account = (await plane.call('POST /v1/accounts', { body: person })).as(AccountView);
  const token = await tokenOf(account.id);
  const add = async (body: object): Promise<ProfileView> =>
    (await plane.call('POST /v1/profiles', { token, body })).as(ProfileView);
  const { id: profileId } = await add({ name: 'Ada', pin: '2468' });
  t.match(await play(token, { titleId, profileId }), { status: 403, json: { code: 'PROFILE_LOCKED' } });
  const unlock = `POST /v1/profiles/${profileId}/unlock` as const;
  t.match(await plane.call(unlock, { token, body: { pin: '1357' } }), { json: { code: 'PIN_WRONG' } });
  const opened = (await plane.call(unlock, { token, body: { pin: '2468' } })).as(UnlockReply);
  const headers = { 'profile-unlock': opened.unlock };
  const { durationMs } = (await play(await tokenOf('one'), { titleId })).as(PlaybackSession);
  const said = { titleId, atMs: plane.clock.nowMs(), sequence: 1 };
  const positionMs = Math.floor(durationMs / 2);
  const progress = {
    ...{ kind: 'progress', ...said, positionMs, watchedMs: 0 },
    ...{ viewingId: 'viewing-0001', startedAtMs: said.atMs },
  };
  const batch = {
    ...{ deviceId: 'the-tv-00', sentAtMs: plane.clock.nowMs() },
    reports: [progress, { kind: 'list', ...said, listed: true }],
  };
  const of = `/v1/profiles/${profileId}` as const;
  t.match(await plane.call(`POST ${of}/viewing`, { token, headers, body: batch }), {
    status: 200,
    json: { accepted: 2, refused: [] },
  });
  const going = await plane.call(`GET ${of}/continue-watching`, { token, headers });
  t.match(going.as(ContinueWatching), { titles: [{ titleId, name: 'Solaris', positionMs }] });
  const list = await plane.call(`GET ${of}/my-list`, { token, headers });
  t.match(list.as(MyList), { titles: [{ titleId }] });
  const session = await plane.call('POST /v1/playback-sessions', {
    token,
    headers,
    body: { titleId, profileId },
  });
  t.equal(session.as(PlaybackSession).resumeMs, positionMs);
  t.strictSame(await find(token, 'solaris'), [], 'by no profile an account of locked ones is shown nothing');
}

/** Signs a household up, once for its key. */
export function askToSignUp(
  plane: TestPlane,
  { key, email, plan = 'basic' }: { key: string; email: string; plan?: string },
): Promise<Answer> {
  const body = {
    ...{ email, name: 'Zoë', password: 'seven grey elephants knit', plan },
    ...{ currency: 'EUR', country: 'DE', timeZone: 'Europe/Berlin' },
  };
  return plane.call('POST /v1/sign-ups', { headers: { 'idempotency-key': key }, body });
}

async function signUp(t: Test, { plane, titleId, tokenOf, play }: World): Promise<void> {
  await plane.call('PUT /v1/plans/basic', { body: planOf(999, { trialDays: 14 }) });
  const email = 'zoe@example.com';
  const made = (await askToSignUp(plane, { key: 'one', email })).as(SignUpReply);
  t.strictSame((await askToSignUp(plane, { key: 'one', email })).as(SignUpReply), made, 'once for its key');
  t.match(await askToSignUp(plane, { key: 'two', email }), { json: { code: 'EMAIL_TAKEN' } });
  const refused = await askToSignUp(plane, { key: 'three', email: 'eve@example.com', plan: 'none' });
  t.match(refused, { json: { code: 'PLAN_UNKNOWN' } });
  const { accounts } = (await plane.call('GET /v1/accounts')).as(AccountList);
  t.notOk(
    accounts.some(({ email: one }) => one.startsWith('eve')),
    'what was done is taken back',
  );
  const token = await tokenOf(made.account);
  const profiles = (await plane.call('GET /v1/profiles', { token })).as(ProfileList);
  t.match(profiles, { profiles: [{ name: 'Zoë' }] });
  t.equal((await play(token, { titleId })).status, 201);
  t.match(await play(await tokenOf('nobody'), { titleId }), { json: { code: 'SUBSCRIPTION_REQUIRED' } });
  const told = (await plane.call(`GET /v1/accounts/${made.account}/export`)).as(AccountExport);
  t.strictSame(Object.keys(told.parts).sort(), ['account', 'billing', 'profiles']);
  t.equal((await plane.call(`DELETE /v1/accounts/${made.account}`)).status, 204);
  t.match((await plane.call(`GET /v1/profiles?account=${made.account}`)).as(ProfileList), { profiles: [] });
}

async function charged(t: Test, { plane, titleId, tokenOf, play }: World): Promise<void> {
  const plan = planOf(999);
  const meter = {
    ...{ metric: 'playback-seconds', name: 'Hours watched', unit: 'h', per: 3600, included: 0 },
    tiers: [{ price: '100' }],
  };
  const prices = plan.prices.map((price) => ({ ...price, meters: [meter] }));
  await plane.call('PUT /v1/plans/by-the-hour', { body: { ...plan, prices } });
  const email = 'yan@example.com';
  const made = await askToSignUp(plane, { key: 'four', email, plan: 'by-the-hour' });
  const { account } = made.as(SignUpReply);
  const session = (await play(await tokenOf(account), { titleId })).as(PlaybackSession);
  const said = { timeMs: plane.clock.nowMs(), type: 'end', positionMs: 1000, playedMs: 1000 };
  const body = { events: [{ id: 'played-one-0', ...said }] };
  for (const token of [session.eventsToken, session.eventsToken])
    t.equal((await plane.call('POST /v1/events', { token, body })).status, 200);
  const { sums } = await until(
    async () => (await plane.call(`GET /v1/usage?account=${account}`)).as(UsageSums),
    (found) => found.sums.length > 0,
  );
  t.match(sums, [{ account, metric: 'playback-seconds', quantity: 1 }]);
  const log = (await plane.call('GET /v1/events/log')).as(EventLogView);
  t.ok(log.consumers.some(({ name }) => name === 'billing-usage'));
}
