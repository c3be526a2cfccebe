import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { openRecords } from '../../../../common/adapters/records/open.ts';
import { openViewing } from '../../../../common/adapters/viewing/open.ts';
import { AccountExport } from '../../../../common/contract/accounts.ts';
import { ProfileView } from '../../../../common/contract/profiles.ts';
import { createSystemChance } from '../../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import type { PersonalData } from '../../../../control-plane/services/personal-data.ts';
import { createPrivacy } from '../../../../control-plane/services/privacy/service.ts';
import { createUsers } from '../../../../control-plane/services/users/service.ts';
import { addTitle } from '../../support/add-title.ts';
import { enrolNode, startPlane, temporaryDir } from '../../support/control-plane.ts';
import { addClient, addPerson, signIn } from '../../support/sign-in.ts';
import { until } from '../../support/until.ts';
import { WebClient } from '../../support/web-client.ts';

t.setTimeout(90_000);

const clock = createSystemClock();
const chance = createSystemChance();
const log = createSilentLog();

/** The files of a directory, at every depth, in which one of the texts stands, as `text in file`. */
async function findings(directory: string, texts: readonly string[]): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(join(entry.parentPath, entry.name));
    for (const text of texts) if (bytes.includes(text)) found.push(`${text} in ${entry.name}`);
  }
  return found.sort();
}

t.test('an account is handed over and erased, and no file knows it any more', async (t) => {
  const dataDir = await temporaryDir(t);
  const plane = await startPlane(t, { dataDir, flags: ['--ingest-roots', dataDir, '--lease-ms', '10m'] });
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const origin = await enrolNode(plane, 'origin', { role: 'origin' });
  await origin.beat();
  const { id: titleId } = await addTitle(plane, encoder, { name: 'Solaris' });
  await until(
    async () => (await plane.call(`GET /v1/titles/${titleId}`)).json as { state: string },
    ({ state }) => state === 'live',
  );
  const other = await addPerson(plane, { email: 'kept@example.com', name: 'Kept Keptson' });
  const email = 'Marked.Person@example.com';
  const account = await addPerson(plane, { email, name: 'Marked Markson', role: 'viewer' });
  const { token } = (
    await plane.call('POST /v1/access-tokens', { body: { role: 'viewer', sub: account.id, ttlS: 600 } })
  ).json as { token: string };
  const add = async (name: string): Promise<ProfileView> =>
    (await plane.call('POST /v1/profiles', { token, body: { name } })).as(ProfileView);
  const profiles = [await add('Marked child'), await add('Marked parent')];
  const nowMs = Date.now();
  for (const { id } of profiles) {
    const said = { titleId, sequence: 1, atMs: nowMs };
    const reports = [
      {
        ...{ kind: 'progress', ...said, viewingId: 'marked-viewing' },
        ...{ startedAtMs: nowMs - 60_000, positionMs: 1000, watchedMs: 1000 },
      },
      { kind: 'list', ...said, listed: true },
      { kind: 'rating', ...said, rating: 'love' },
      { kind: 'hide', ...said, hidden: true },
    ];
    const body = { deviceId: 'marked-device', sentAtMs: nowMs, reports };
    const reported = await plane.call(`POST /v1/profiles/${id}/viewing`, { token, body });
    t.match(reported.json, { accepted: 4 });
    t.equal((await plane.call(`GET /v1/rows?profileId=${id}`, { token })).status, 200);
    const wanted = { titleId, profileId: id };
    t.equal((await plane.call('POST /v1/playback-sessions', { token, body: wanted })).status, 201);
  }
  const used = { id: 'marked-usage', account: account.id, metric: 'minutes', quantity: 1, atMs: nowMs };
  t.equal((await plane.call('POST /v1/usage', { body: { records: [used] } })).status, 200);
  await addClient(plane);
  const web = new WebClient(plane.url);
  await signIn(web, await web.get('/account'), { email });
  await new WebClient(plane.url).get('/account');

  const marks = [
    email,
    email.toLowerCase(),
    'Marked',
    'marked-viewing',
    account.id,
    ...profiles.map(({ id }) => id),
  ];
  const exported = await plane.call(`GET /v1/accounts/${account.id}/export`);
  t.match(exported.as(AccountExport), {
    accountId: account.id,
    parts: {
      account: { email, name: 'Marked Markson', sessions: [{ kind: 'browser' }], apiTokens: [] },
      profiles: { profiles: [{ name: 'Marked child' }, { name: 'Marked parent' }] },
      billing: { usage: [{ metric: 'minutes', quantity: 1 }] },
    },
  });
  for (const mark of [...marks, titleId])
    if (mark !== email.toLowerCase()) t.ok(exported.text.includes(mark), `${mark} is handed over`);
  t.match(exported.text, /"kind":"hidden"/, 'what is not to be recommended, too');
  t.notMatch(exported.text, /argon2|Kept/);
  const before = await findings(dataDir, marks);
  t.ok(before.length > marks.length, 'what is looked for can be found');

  t.equal((await plane.call(`DELETE /v1/accounts/${account.id}`)).status, 204);
  const after = await findings(dataDir, marks);
  const audited = after.filter((finding) => new RegExp(`^${account.id} in audit\\.db`).test(finding));
  t.strictSame(after, audited, 'the audit log knows the id of who was erased, and nothing else does');
  t.match(await plane.call(`DELETE /v1/accounts/${account.id}`), {
    status: 404,
    json: { code: 'ACCOUNT_UNKNOWN' },
  });
  t.match(await plane.call(`GET /v1/accounts/${account.id}/export`), { status: 404 });
  t.strictSame((await plane.call('GET /v1/profiles', { token })).json, { profiles: [] });
  t.match(await plane.call('POST /v1/profiles', { token, body: { name: 'x' } }), { status: 404 });
  t.match((await plane.call(`GET /v1/accounts/${other.id}`)).json, { name: 'Kept Keptson' });
  await plane.stop();
  t.strictSame(
    (await findings(dataDir, marks)).filter((finding) => !finding.includes(' in audit.db')),
    [],
    'and closing writes nothing of it',
  );
});

/** Services that die before or after any of their steps, and what they did. */
function mortal(name: string, did: string[], dies: { at: string | undefined }): PersonalData {
  const step = async (what: string): Promise<void> => {
    if (dies.at === `before ${what}`) throw new Error('killed');
    did.push(what);
    if (dies.at === `after ${what}`) throw new Error('killed');
  };
  return {
    name,
    export: async (accountId) => ({ of: accountId }),
    erase: () => step(`${name} erases`),
    purge: () => step(`${name} purges`),
  };
}

t.test('an erasure that is cut off at any step is carried to its end at the next start', async (t) => {
  const base = t.testdir();
  const steps = ['one erases', 'two erases', 'one purges', 'two purges'];
  for (const at of steps.flatMap((step) => [`before ${step}`, `after ${step}`])) {
    const url = `sqlite://${join(await mkdtemp(join(base, 'privacy-')), 'privacy.db')}`;
    const did: string[] = [];
    const dies: { at: string | undefined } = { at };
    const services = [mortal('one', did, dies), mortal('two', did, dies)];
    const open = async () => {
      const records = await openRecords(url);
      const exists = async (): Promise<boolean> => !did.includes('one erases');
      return { records, privacy: createPrivacy({ records, services, exists, clock, log }) };
    };
    const first = await open();
    await t.rejects(first.privacy.erase('usr_somebody'), { message: 'killed' }, at);
    await first.records.close();
    dies.at = undefined;
    const second = await open();
    const stop = new AbortController();
    const watching = second.privacy.watch(stop.signal);
    await until(
      () => second.records.scan('erasures'),
      (left) => left.length === 0,
    );
    stop.abort();
    await watching;
    t.strictSame([...new Set(did)], steps, at);
    t.equal(did.filter((step) => step === 'one erases').length, at === 'after one erases' ? 2 : 1);
    await t.rejects(second.privacy.erase('usr_somebody'), { code: 'ACCOUNT_UNKNOWN' });
    await second.records.close();
  }
});

t.test('what a profile has watched goes too when the process ends in between', async (t) => {
  const dir = t.testdir();
  const told: string[] = [];
  const open = async (t: Pick<Test, 'teardown' | 'fail'>, erase?: () => Promise<void>) => {
    const records = await openRecords(`sqlite://${join(dir, 'users.db')}`);
    const viewing = await openViewing(`sqlite://${join(dir, 'viewing.db')}`, { onLost: t.fail });
    let closed: Promise<unknown> | undefined;
    const close = () => (closed ??= Promise.all([records.close(), viewing.close()]));
    t.teardown(close);
    if (erase !== undefined) viewing.erase = erase;
    const users = createUsers({
      onRemoved: async (id) => told.push(id),
      ...{ records, viewing, clock, chance, log },
      accounts: { exists: async () => ({ exists: true }) },
      titles: {
        find: async ({ ids }) => ({
          titles: ids.map((id) => ({ id, name: 'Solaris', durationMs: 100_000 })),
        }),
      },
      pins: { hash: async () => ({ hash: 'x' }), check: async () => ({ isRight: false }) },
      seals: { seal: () => 'x', isSeal: () => false },
    });
    return { users, viewing, close };
  };
  const killed = async (): Promise<void> => {
    throw new Error('killed');
  };
  const first = await open(t, killed);
  const by = { accountId: 'usr_somebody', unlock: undefined };
  const { id } = await first.users.add('usr_somebody', { name: 'Ada' }, by);
  const nowMs = clock.nowMs();
  const report = { kind: 'list' as const, titleId: 'title_abcdefgh', atMs: nowMs, sequence: 1, listed: true };
  const batch = { deviceId: 'the-tv-00', sentAtMs: nowMs, reports: [report] };
  await first.users.watched.report(id, batch);
  await t.rejects(first.users.remove(id, by), { message: 'killed' });
  t.equal((await first.viewing.registers(id, 'list', { limit: 10 })).length, 1, 'it is still there');
  await first.close();
  const second = await open(t);
  const stop = new AbortController();
  const watching = second.users.watch(stop.signal);
  await until(
    () => second.viewing.registers(id, 'list', { limit: 10 }),
    (left) => left.length === 0,
  );
  await until(
    async () => told,
    (ids) => ids.includes(id),
  );
  stop.abort();
  await watching;
});
