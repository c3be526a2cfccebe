import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { AuditPage, type AuditEntry } from '../../../../common/contract/audit.ts';
import { ApiTokenReply, type AccountView } from '../../../../common/contract/accounts.ts';
import { AuditWalk } from '../../../../common/core/audit-chain.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { makeCallers } from '../../support/callers.ts';
import { startPlane, temporaryDir, type TestPlane } from '../../support/control-plane.ts';
import { addPerson, password, signIn } from '../../support/sign-in.ts';
import { WebClient } from '../../support/web-client.ts';

/** No minute passes, so that what is counted is one sum. */
const stillClock = () => createManualClock({ nowMs: Date.now() });

async function pageOf(plane: TestPlane, query = 'after=0&limit=1000'): Promise<AuditPage> {
  return (await plane.call(`GET /v1/audit?${query}`)).as(AuditPage);
}

async function entriesOf(plane: TestPlane, query?: string): Promise<readonly AuditEntry[]> {
  return (await pageOf(plane, query)).entries;
}

function isWhole({ entries, anchor }: AuditPage): boolean {
  const walk = new AuditWalk(anchor);
  return entries.every((entry) => walk.step(entry) === undefined) && walk.end() === undefined;
}

t.test('every change is written before it is done and when it has ended, reading is not', async (t) => {
  const plane = await startPlane(t);
  const ada = await addPerson(plane);
  const order = { name: 'a build', scopes: ['read', 'write'], ttlS: 3600 };
  const made = (await plane.call('POST /v1/api-tokens', { body: order })).as(ApiTokenReply);
  await plane.call(`PATCH /v1/accounts/${ada.id}`, {
    token: made.token,
    body: { role: 'admin', password: 'nine blue whales whistle' },
  });
  await plane.call('DELETE /v1/accounts/usr_nobody00');
  await plane.call('GET /v1/accounts');
  const page = await pageOf(plane);
  t.ok(isWhole(page));
  const added = { account: 'operator', role: 'admin', network: '127.0.0.1', action: 'POST /v1/accounts' };
  t.match(page.entries, [
    { ...added, sequence: 1, outcome: 'begun', detail: 'email name role=operator password' },
    { ...added, sequence: 2, outcome: 'done', of: 1, object: ada.id },
    { action: 'POST /v1/api-tokens', outcome: 'begun', detail: /name=a build scopes=\["read","write"\]/ },
    { action: 'POST /v1/api-tokens', outcome: 'done', object: made.id },
    {
      action: 'PATCH /v1/accounts/:id',
      account: 'operator',
      session: made.id,
      object: ada.id,
      detail: 'role=admin password',
      outcome: 'begun',
    },
    { outcome: 'done', of: 5 },
    { action: 'DELETE /v1/accounts/:id', object: 'usr_nobody00', outcome: 'begun' },
    { outcome: 'refused', code: 'ACCOUNT_UNKNOWN', of: 7 },
  ]);
  t.equal(page.entries.length, 8);
  t.same(
    (await entriesOf(plane, `object=${ada.id}&action=PATCH`)).map(({ sequence }) => sequence),
    [6, 5],
  );
  await plane.stop();
  const text = await readFile(join(plane.dataDir, 'records', 'audit.db'), 'latin1');
  for (const secret of [made.token, password, 'nine blue whales whistle', 'ada@example.com'])
    t.notOk(text.includes(secret), 'no secret and no mail address is in it');
});

t.test('who may not is counted, viewers and boxes are left alone', async (t) => {
  const plane = await startPlane(t, { clock: stillClock() });
  const { accessToken } = await makeCallers(plane);
  const before = (await pageOf(plane)).head.sequence;
  const operator = await accessToken({ sub: 'usr_operator', role: 'operator' });
  for (let tries = 0; tries < 3; tries++)
    t.equal((await plane.call('DELETE /v1/accounts/usr_aaaaaaaa', { token: operator })).status, 403);
  const limited = await accessToken({ sub: 'usr_operator', role: 'operator', scope: 'read' });
  t.equal((await plane.call('POST /v1/fill/plan', { token: limited, body: {} })).status, 403);
  const viewer = await accessToken({ sub: 'usr_viewer00', role: 'viewer' });
  await plane.call('POST /v1/playback-sessions', { token: viewer, body: { title: 'ttl_aaaaaaaa' } });
  await plane.call('DELETE /v1/accounts/usr_aaaaaaaa', { token: viewer });
  const entries = await entriesOf(plane, `after=${String(before)}`);
  const refused = { account: 'usr_operator', role: 'operator', outcome: 'refused', code: 'FORBIDDEN' };
  t.match(entries, [
    { ...refused, action: 'DELETE /v1/accounts/:id', count: 3, network: '127.0.0.1' },
    { ...refused, action: 'POST /v1/fill/plan', count: 1 },
  ]);
  t.equal(entries.length, 2);
});

t.test('sign-in: who came in, who failed and how often, and of viewers nothing', async (t) => {
  const plane = await startPlane(t, { clock: stillClock(), flags: ['--trusted-proxies', '127.0.0.1'] });
  const ada = await addPerson(plane);
  await addPerson(plane, { email: 'vic@example.com', role: 'viewer' });
  const before = (await pageOf(plane)).head.sequence;
  const from = (address: string) => new WebClient(plane.url, { 'x-forwarded-for': address });
  const wrong = async (address: string, email: string): Promise<void> => {
    const web = from(address);
    await signIn(web, await web.get('/account'), { email, password: 'wrong' });
  };
  await wrong('198.51.100.1', ada.email);
  await wrong('2001:db8:1:2::3', ada.email);
  await wrong('198.51.100.3', 'vic@example.com');
  await wrong('198.51.100.4', 'nobody@example.com');
  const viewer = from('198.51.100.5');
  await signIn(viewer, await viewer.get('/account'), { email: 'vic@example.com' });
  const web = from('198.51.100.6');
  const page = await signIn(web, await web.get('/account'));
  const csrf = /name="csrf" value="([\w-]+)"/.exec(page.text)?.[1] ?? '';
  const change = { csrf, current: password, password: 'nine blue whales whistle' };
  t.match(await web.post('/account/password', { ...change, password: 'short' }), { text: /not strong/ });
  t.match(await web.post('/account/password', change), { text: /is changed/ });
  const entries = await entriesOf(plane, `after=${String(before)}`);
  const own = { account: ada.id, role: 'operator', network: '198.51.100.6' };
  t.match(entries, [
    { ...own, action: 'sign-in', object: 'nearcast-pages', outcome: 'begun' },
    { outcome: 'done' },
    { ...own, action: 'POST /account/password', outcome: 'begun' },
    { outcome: 'refused', code: 'PASSWORD_WEAK' },
    { ...own, action: 'POST /account/password', outcome: 'begun' },
    { outcome: 'done' },
    { account: ada.id, action: 'sign-in', outcome: 'refused', count: 2, detail: 'from 2 networks' },
    { account: '-', action: 'sign-in', code: 'SIGN_IN_FAILED', count: 2 },
  ]);
  t.equal(entries.length, 8);
  for (const secret of ['198.51.100.3', '198.51.100.4', '198.51.100.5', 'example.com', password])
    t.notMatch(JSON.stringify(entries), secret);
});

t.test('the first admin and the tries before it', async (t) => {
  const plane = await startPlane(t, { clock: stillClock() });
  const first = { email: 'root@example.com', name: 'Root', password };
  for (const code of ['AAAA', 'BBBB'])
    await plane.call('POST /v1/accounts/first', { token: '', body: { ...first, code } });
  const body = { ...first, code: plane.firstAdminCode };
  const { id } = (await plane.call('POST /v1/accounts/first', { token: '', body })).json as AccountView;
  t.match(await entriesOf(plane), [
    { account: '-', network: '127.0.0.1', action: 'first admin', outcome: 'begun' },
    { outcome: 'done', object: id },
    { action: 'first admin', code: 'FIRST_ADMIN_CODE_INVALID', count: 2 },
  ]);
});

t.test('what cannot be written is not done, and reading goes on', async (t) => {
  const dataDir = await temporaryDir(t);
  const first = await startPlane(t, { dataDir });
  await addPerson(first);
  await first.stop();
  // A disk that is full from now on, as the database tells it.
  const file = new Database(join(dataDir, 'records', 'audit.db'));
  file.exec(
    "CREATE TRIGGER full BEFORE INSERT ON entries WHEN new.sequence > 4 BEGIN SELECT RAISE(ABORT, 'full'); END",
  );
  file.close();
  const plane = await startPlane(t, { dataDir });
  const add = (email: string) =>
    plane.call('POST /v1/accounts', { body: { email, name: 'B', role: 'viewer', password } });
  t.equal((await add('b@example.com')).status, 201, 'the last that fits');
  t.match(await add('c@example.com'), { status: 503, json: { code: 'AUDIT_UNAVAILABLE' } });
  const { accounts } = (await plane.call('GET /v1/accounts')).json as { accounts: AccountView[] };
  t.equal(accounts.length, 2, 'nothing was done');
  const web = new WebClient(plane.url);
  t.match(await signIn(web, await web.get('/account')), { status: 503 }, 'operators do not sign in either');
  const viewer = new WebClient(plane.url);
  t.match(await signIn(viewer, await viewer.get('/account'), { email: 'b@example.com' }), {
    text: /Where you are signed in/,
  });
  t.ok(isWhole(await pageOf(plane)));
});

t.test('what is too old goes, which is written, and the chain is whole after a restart', async (t) => {
  const dataDir = await temporaryDir(t);
  const clock = createManualClock({ nowMs: Date.now() });
  const flags = ['--audit-keep-days', '30'];
  const plane = await startPlane(t, { dataDir, clock, flags });
  for (const name of ['a', 'b']) await addPerson(plane, { email: `${name}@example.com` });
  const old = await pageOf(plane);
  await plane.stop();
  const later = createManualClock({ nowMs: clock.nowMs() + 31 * 86_400_000 });
  const again = await startPlane(t, { dataDir, clock: later, flags });
  await addPerson(again, { email: 'c@example.com' });
  const page = await pageOf(again);
  t.ok(isWhole(page));
  t.same(page.anchor, old.head);
  // The newest goes only when there is a newer one: a begun act, or the pruning before.
  t.match(
    page.entries.filter(({ action }) => action === 'audit prune'),
    [
      { object: `${String(old.head.sequence - 1)}:${old.entries.at(-1)?.previous ?? ''}` },
      { object: `${String(old.head.sequence)}:${old.head.hash}` },
    ],
  );
  t.match(
    page.entries.filter(({ action }) => action !== 'audit prune'),
    [{ action: 'POST /v1/accounts', outcome: 'begun' }, { outcome: 'done' }],
  );
});

t.test('what comes together is written together', async (t) => {
  const plane = await startPlane(t);
  const bodies = Array.from({ length: 40 }, (_, at) => ({ site: `isp-${String(at)}` }));
  const answers = await Promise.all(
    bodies.map(({ site }) =>
      plane.call(`PATCH /v1/fill/sites/${site}`, { body: { timeZone: 'Europe/Vienna' } }),
    ),
  );
  t.ok(
    answers.every(({ status }) => status < 300),
    answers[0]?.text ?? '',
  );
  const page = await pageOf(plane);
  t.ok(isWhole(page));
  t.equal(page.entries.filter(({ outcome }) => outcome === 'begun').length, 40);
  t.equal(page.entries.filter(({ outcome }) => outcome === 'done').length, 40);
});
