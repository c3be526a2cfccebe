import { chmod, copyFile, cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import Database from 'better-sqlite3';
import { BackupList, type BackupView } from '../../../../common/contract/backups.ts';
import { writeArchive } from '../../../../control-plane/backup/write-archive.ts';
import { restoreBackup, verifyBackup } from '../../../../control-plane/restore.ts';
import { nearcastCli } from '../../../support/nearcast-cli.ts';
import { addTitle } from '../../support/add-title.ts';
import { planOf } from '../../support/billing-lab.ts';
import { eventually, startPlane, temporaryDir, type TestPlane } from '../../support/control-plane.ts';
import { startFleet, type Fleet } from '../../support/fleet.ts';
import { addClient, addPerson, password, signIn } from '../../support/sign-in.ts';
import { WebClient } from '../../support/web-client.ts';

const quiet = { signal: new AbortController().signal, onProgress: () => undefined };

async function backUp(plane: TestPlane): Promise<BackupView> {
  t.equal((await plane.call('POST /v1/backups')).status, 202);
  const list = await eventually(
    async () => (await plane.call('GET /v1/backups')).as(BackupList),
    ({ work }) => work?.state !== 'running',
  );
  if (list.work?.backup === undefined) throw new Error(JSON.stringify(list.work));
  return list.work.backup;
}

const contentsOfRecords = 'SELECT collection, key, value FROM records ORDER BY collection, key';
const contents: Readonly<Record<string, string>> = {
  'audit.db': 'SELECT text FROM entries ORDER BY sequence',
  'viewing.db': 'SELECT * FROM registers ORDER BY profile, kind, title',
};

/** Everything that the records of a data directory hold, by service. */
async function recordsOf(dataDir: string): Promise<Map<string, string[]>> {
  const services = new Map<string, string[]>();
  for (const name of (await readdir(join(dataDir, 'records'))).filter((one) => one.endsWith('.db'))) {
    const file = new Database(join(dataDir, 'records', name));
    const rows = file.prepare(contents[name] ?? contentsOfRecords).all();
    services.set(
      name,
      rows.map((row) => JSON.stringify(row)),
    );
    file.close();
  }
  return services;
}

/** Gives an account a profile with a title on its list. */
async function watchSomething(
  plane: TestPlane,
  { account, titleId }: { account: string; titleId: string },
): Promise<void> {
  const order = { role: 'viewer', sub: account, ttlS: 600 };
  const { token } = (await plane.call('POST /v1/access-tokens', { body: order })).json as { token: string };
  const added = await plane.call('POST /v1/profiles', { token, body: { name: 'Ada' } });
  const sentAtMs = plane.clock.nowMs();
  const reports = [{ kind: 'list', titleId, atMs: sentAtMs, sequence: 1, listed: true }];
  const path = `/v1/profiles/${(added.json as { id: string }).id}/viewing` as const;
  const body = { deviceId: 'the-tv-00', sentAtMs, reports };
  t.match(await plane.call(`POST ${path}`, { token, body }), { json: { accepted: 1 } });
}

/** Gives every service something to keep. */
async function fillRecords({ plane, encoder, a1, b1 }: Fleet) {
  await addPerson(plane, { email: 'root@example.com', role: 'admin' });
  const { id: account } = await addPerson(plane);
  await addClient(plane);
  const order = { name: 'nightly', scopes: ['read'], ttlS: 3600 };
  const { token } = (await plane.call('POST /v1/api-tokens', { body: order })).json as { token: string };
  const live = await addTitle(plane, encoder, { name: 'Kept', pinned: true });
  const gone = await addTitle(plane, encoder, { name: 'Gone' });
  await watchSomething(plane, { account, titleId: live.id });
  await a1.beat({ holdings: { full: true, added: live.files, removed: [] } });
  const begun = await eventually(
    () => plane.call('POST /v1/playback-sessions', { body: { titleId: live.id } }),
    ({ status }) => status < 300,
  );
  t.ok(begun.status < 300, begun.text);
  t.equal((await b1.serve({ [live.bundle]: 5000 })).status, 200);
  const nowMs = plane.clock.nowMs();
  const window = { site: 'isp-a', startMs: nowMs + 3_600_000, endMs: nowMs + 7_200_000, reason: 'fans' };
  t.equal((await plane.call('POST /v1/maintenance', { body: window })).status, 201);
  t.equal((await plane.call('PATCH /v1/fill/sites/isp-a', { body: { hours: 'any' } })).status, 200);
  const allowed = { allowed: [{ prefix: '198.51.100.0/24' }] };
  const routes = await plane.call('PATCH /v1/routes/sites/isp-a', { body: allowed });
  t.ok(routes.status < 300, routes.text);
  t.equal((await plane.call('POST /v1/revocations', { body: { sessions: ['a'.repeat(32)] } })).status, 200);
  t.equal((await plane.call(`POST /v1/titles/${gone.id}/withdraw`)).status, 200);
  const plan = await plane.call('PUT /v1/plans/basic', { body: planOf(999) });
  const household = {
    ...{ email: 'household@example.com', name: 'A household', password: 'seven grey elephants knit' },
    ...{ plan: 'basic', currency: 'EUR', country: 'DE', timeZone: 'Europe/Berlin' },
  };
  const headers = { 'idempotency-key': 'k1' };
  t.equal((await plane.call('POST /v1/sign-ups', { body: household, headers })).status, 201);
  t.ok(plan.status < 300, plan.text);
  return { token, live, gone };
}

t.test(
  'a backup that is made while everything is written is restored with the records of every service',
  // Several processes of the command line, one after the other.
  { timeout: 120_000 },
  async (t) => {
    const fleet = await startFleet(t);
    const { plane } = fleet;
    const { token, live, gone } = await fillRecords(fleet);
    const web = new WebClient(plane.url);
    t.match((await signIn(web, await web.get('/account'))).text, /Where you are signed in/);
    const cli = nearcastCli(plane);

    const enough = new AbortController();
    const writing = (async () => {
      for (let n = 0; !enough.signal.aborted; n++) {
        const body = { email: `p${String(n)}@example.com`, name: 'P', role: 'viewer' };
        if ((await plane.call('POST /v1/accounts', { body })).status !== 201) break;
        await fleet.a1.beat();
      }
    })();
    const made = await cli('--json', 'backup');
    enough.abort();
    await writing;
    t.equal(made.code, 0, made.stderr);
    t.match(made.stderr, /backup/, 'it says how far it is');
    const backup = JSON.parse(made.stdout) as BackupView;
    const archive = join(plane.dataDir, 'backups', backup.name);
    t.equal((await stat(archive)).mode & 0o777, 0o600, 'for its owner alone');
    const beside = await readdir(join(plane.dataDir, 'backups', '.temps'));
    t.strictSame(beside, [], 'nothing half written');
    t.notOk((await readdir(plane.dataDir)).includes('backup-staging'));
    t.match((await cli('backup', 'list')).stdout, backup.name);
    t.match((await cli('backup', 'verify', archive)).stdout, /The backup is whole: of .* files/);
    const still = await backUp(plane);
    await plane.stop();
    const before = await recordsOf(plane.dataDir);

    const dataDir = join(await temporaryDir(t), 'restored');
    const from = join(plane.dataDir, 'backups', still.name);
    const restored = await cli('restore', from, '--data-dir', dataDir);
    t.equal(restored.code, 0, restored.stderr);
    t.match(restored.stderr, /has to be again/);
    const after = await recordsOf(dataDir);
    t.strictSame([...after.keys()].sort(), [...before.keys()].sort(), 'every service');
    for (const [service, rows] of after) {
      // Privacy keeps what is being erased, and nothing else.
      t.equal(rows.length > 0, service !== 'privacy.db', `${service} has something`);
      // Popularity and signatures move by themselves; what people have made stands as it was.
      if (!/^(events|access|fill|steering-map|audit)/.test(service))
        t.strictSame(rows, before.get(service), service);
    }
    for (const name of [
      ...(await readdir(join(dataDir, 'keys'))).map((key) => `keys/${key}`),
      'operator.token',
    ]) {
      t.equal((await stat(join(dataDir, name))).mode & 0o777, 0o600, name);
      t.strictSame(await readFile(join(dataDir, name)), await readFile(join(plane.dataDir, name)), name);
    }

    await cp(join(plane.dataDir, 'blobs'), join(dataDir, 'blobs'), { recursive: true });
    const again = await startPlane(t, { dataDir });
    t.equal(again.operator, plane.operator);
    t.match((await again.call(`GET /v1/titles/${live.id}`)).json, { name: 'Kept', pinned: true });
    t.match((await again.call('GET /v1/withdrawals')).json, { withdrawals: [{ titleId: gone.id }] });
    t.match((await again.call('GET /v1/maintenance')).json, { windows: [{ site: 'isp-a', reason: 'fans' }] });
    t.equal((await again.call('GET /v1/nodes', { token })).status, 200, 'machines go on');
    const found = await eventually(
      () => again.call('GET /v1/search/titles?q=kept'),
      ({ json }) => (json as { total: number }).total === 1,
    );
    t.match(found.json, { hits: [{ id: live.id }] }, 'what is derived is made anew');
    const old = new WebClient(again.url);
    for (const [name, value] of web.cookies) old.plant({ name, value, path: '/' });
    t.match((await old.get('/account')).location, /authorize|sign-in/, 'people sign in again');
    const fresh = new WebClient(again.url);
    t.match((await signIn(fresh, await fresh.get('/account'))).text, /Where you are signed in/, password);
  },
);

t.test('what cannot be restored leaves everything as it was', async (t) => {
  const passphraseFile = join(await temporaryDir(t), 'passphrase');
  await writeFile(passphraseFile, 'nine quiet horses\n', { mode: 0o600 });
  const plane = await startPlane(t, { flags: ['--backup-passphrase-file', passphraseFile] });
  const { name, sealed } = await backUp(plane);
  t.ok(sealed && name.endsWith('.sealed'));
  const dir = await temporaryDir(t);
  const good = join(dir, name);
  await copyFile(join(plane.dataDir, 'backups', name), good);
  const dataDir = join(dir, 'data');
  const attempt = (archive: string, more: Partial<Parameters<typeof restoreBackup>[0]> = {}) =>
    restoreBackup({ archive, dataDir, force: false, passphraseFile, ...quiet, ...more });
  const nothingDone = async (t: Test, what: string): Promise<void> => {
    const left = (await readdir(dir)).filter((one) => one.startsWith('data'));
    t.ok(left.length === 0 || (left.length === 1 && (await readdir(dataDir)).length === 0), what);
  };

  const bytes = await readFile(good);
  const variants: Record<string, Buffer> = {
    'cut short': bytes.subarray(0, bytes.length - 100),
    'cut in the middle': bytes.subarray(0, bytes.length / 2),
    'one bit changed': Buffer.from(
      bytes.map((byte, at) => (at === Math.floor(bytes.length / 2) ? byte ^ 1 : byte)),
    ),
    'its seal changed': Buffer.from(bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte))),
    'no backup': Buffer.from('hello '.repeat(100)),
    empty: Buffer.alloc(0),
  };
  for (const [what, variant] of Object.entries(variants)) {
    const path = join(dir, 'variant');
    await writeFile(path, variant);
    await t.rejects(attempt(path), { code: 'STORE_CORRUPT' }, what);
    await t.rejects(
      verifyBackup({ archive: path, passphraseFile, ...quiet }),
      { code: 'STORE_CORRUPT' },
      what,
    );
    await nothingDone(t, what);
  }
  await t.rejects(attempt(good, { passphraseFile: undefined }), { code: 'CREDENTIAL_MISSING' });
  const other = join(dir, 'other');
  await writeFile(other, 'another one\n', { mode: 0o600 });
  await t.rejects(attempt(good, { passphraseFile: other }), { code: 'STORE_CORRUPT' });
  await chmod(other, 0o644);
  await t.rejects(attempt(good, { passphraseFile: other }), { code: 'CONFIG_INVALID', message: /chmod 600/ });
  await t.rejects(attempt(join(dir, 'nowhere')), { code: 'PATH_UNREADABLE' });
  await t.rejects(attempt(good, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  await nothingDone(t, 'nor by these');

  await t.rejects(attempt(good, { dataDir: plane.dataDir, force: true }), { code: 'STORE_LOCKED' });
  t.equal((await plane.call('GET /v1/me')).status, 200, 'who runs there goes on');
  const foreign = await temporaryDir(t);
  await writeFile(join(foreign, 'letter.txt'), 'dear');
  await t.rejects(attempt(good, { dataDir: foreign, force: true }), { code: 'CONFLICT' });
  t.strictSame(await readdir(foreign), ['letter.txt']);

  await attempt(good);
  await writeFile(join(dataDir, 'mark'), '');
  await t.rejects(attempt(good), { code: 'CONFLICT', message: /--force/ });
  t.ok((await readdir(dataDir)).includes('mark'));
  const { keptAside = '' } = await attempt(good, { force: true });
  t.ok((await readdir(keptAside)).includes('mark'), 'what was there is beside it');
  t.notOk((await readdir(dataDir)).includes('mark'));
  t.notOk((await readdir(dir)).some((one) => one.endsWith('.restoring')));
  const again = await startPlane(t, { dataDir });
  t.equal((await again.call('GET /v1/me')).status, 200);
});

t.test('what a newer version wrote, or what names files that no backup has, is refused', async (t) => {
  const dir = await temporaryDir(t);
  await mkdir(join(dir, 'keys'));
  await writeFile(join(dir, 'keys', 'a.pem'), 'x');
  const manifest = { format: 1, program: '9.9.9', dataFormat: 1, takenAtMs: 1, files: [] };
  const file = { path: 'keys/a.pem', sizeBytes: 1, sha256: 'f'.repeat(64) };
  const cases: [object, string][] = [
    [{ format: 2 }, 'STORE_NEWER'],
    [{ dataFormat: 2 }, 'STORE_NEWER'],
    [{ files: [{ ...file, path: '../keys/a.pem' }] }, 'STORE_CORRUPT'],
    [{ files: [{ ...file, path: 'records/../keys/a.pem' }] }, 'STORE_CORRUPT'],
    [{ files: [file] }, 'STORE_CORRUPT'],
  ];
  for (const [change, code] of cases) {
    const path = join(dir, 'archive');
    const source = writeArchive({
      manifest: { ...manifest, ...change },
      directory: join(dir, 'keys', '..'),
      onBytes: () => undefined,
    });
    await writeFile(path, source).catch(() => undefined);
    const request = { archive: path, dataDir: join(dir, 'data'), force: false, ...quiet };
    await t.rejects(restoreBackup(request), { code }, JSON.stringify(change));
  }
});
