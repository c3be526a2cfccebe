import { execFile } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { readBlobBytes } from '../../../../common/adapters/blobs/bytes.ts';
import type { EncodeJob, TitleView } from '../../../../common/contract/titles.ts';
import { mountSmallDisk } from '../../../support/small-disk.ts';
import { call, type Answer } from '../../support/call.ts';
import { openCatalogLab, type CatalogLab } from '../../support/catalog-lab.ts';
import { asEncoder, asRole } from '../../support/fake-credentials.ts';
import { publishSampleBundle } from '../../support/publish-bundle.ts';
import { until } from '../../support/until.ts';

const operator = asRole('operator');
const film = Buffer.from('not really a film, but bytes');

async function create(lab: CatalogLab, json: object): Promise<Answer> {
  return await call(`${lab.url}/v1/titles`, { headers: operator, json });
}

async function show(lab: CatalogLab, id: unknown): Promise<TitleView> {
  return (await call(`${lab.url}/v1/titles/${String(id)}`, { headers: operator }))
    .body as unknown as TitleView;
}

async function upload(lab: CatalogLab, bytes: Uint8Array): Promise<string> {
  const begun = await call(`${lab.url}/v1/uploads`, {
    headers: operator,
    json: { filename: 'film.mp4', sizeBytes: bytes.length },
  });
  const uploadId = String(begun.body['uploadId']);
  const headers = { ...operator, 'content-type': 'application/octet-stream', 'upload-offset': '0' };
  await call(`${lab.url}/v1/uploads/${uploadId}`, { method: 'PATCH', headers, bytes });
  return uploadId;
}

async function lease(lab: CatalogLab, worker = 'encoder-1'): Promise<EncodeJob> {
  const answer = await call(`${lab.url}/v1/encode-jobs/lease`, {
    headers: asEncoder(worker),
    json: { waitMs: 5000 },
  });
  if (answer.status !== 200) throw new Error(`no job: ${answer.status} ${answer.text}`);
  return answer.body as unknown as EncodeJob;
}

async function complete(lab: CatalogLab, { jobId, leaseId }: EncodeJob, bundle: string): Promise<Answer> {
  const headers = asEncoder('encoder-1');
  return await call(`${lab.url}/v1/encode-jobs/${jobId}/complete`, { headers, json: { leaseId, bundle } });
}

/** A directory to ingest from, outside the lab's own. */
async function openRoot(t: Test): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'nearcast-ingest-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  return root;
}

t.test('from an upload to a live title', async (t) => {
  const lab = await openCatalogLab(t);
  lab.fleet.appliancesExist = () => true;
  lab.fleet.clustersWanting = () => [{ cluster: 'isp-a', site: 'isp-a', copies: 1 }];
  lab.fleet.filledShare = () => 0.25;
  const uploadId = await upload(lab, film);
  const created = await create(lab, { name: 'A <film> & "more"', uploadId, pinned: true });
  t.match(created, { status: 201, body: { state: 'queued', pinned: true, name: 'A <film> & "more"' } });
  const { id } = created.body;
  t.equal(created.headers['location'], `/v1/titles/${String(id)}`);
  const job = await lease(lab);
  t.match(job, {
    titleId: id,
    attempt: 1,
    sizeBytes: film.length,
    sourceKey: `sources/${String(id)}`,
    leaseMs: 30_000,
  });
  t.ok(
    film.equals((await readBlobBytes(lab.blobs, job.sourceKey)) ?? Buffer.alloc(0)),
    'the source is in blobs',
  );
  const gone = await call(`${lab.url}/v1/uploads/${uploadId}`, { headers: operator });
  t.equal(gone.status, 404, 'and the upload is not kept twice');
  const headers = asEncoder('encoder-1');
  const progress = { leaseId: job.leaseId, fraction: 0.5, stage: 'rendition v720' };
  t.equal(
    (await call(`${lab.url}/v1/encode-jobs/${job.jobId}/progress`, { headers, json: progress })).status,
    204,
  );
  t.match(await show(lab, id), { state: 'encoding', progress: 0.5, stage: 'rendition v720' });
  const { name } = await publishSampleBundle(lab.blobs);
  const bundlesChanged = new Promise<void>((resolve) => lab.catalog.onBundlesChange(resolve));
  t.equal((await complete(lab, job, name)).status, 204);
  await bundlesChanged;
  t.equal((await complete(lab, job, name)).status, 204, 'a repetition of what succeeded is no error');
  t.match(await show(lab, id), {
    state: 'filling',
    progress: 0.25,
    bundle: name,
    durationMs: 10_500,
    renditions: ['v1080', 'v720', 'v360'],
    holders: ['origin'],
  });
  const [bundle] = lab.catalog.bundles();
  t.match(bundle, { titleId: id, bundle: name, pinned: true });
  t.equal(bundle?.files.length, 1 + 9 + 2 + 4, 'the bundle and its files');
  t.equal(
    bundle?.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    bundle?.sizeBytes,
  );
  await t.rejects(lab.catalog.playable(String(id)), { code: 'TITLE_NOT_LIVE' });
  const reach = Promise.withResolvers<{ steering: number; behind: number }>();
  lab.fleet.mapReached = () => reach.promise;
  lab.fleet.holdersOf = () => [
    { id: 'origin', role: 'origin', cluster: 'origin' },
    { id: 'isp-a-1', role: 'appliance', cluster: 'isp-a' },
  ];
  t.match(await show(lab, id), { state: 'filling' }, 'steering is about to be told');
  reach.resolve({ steering: 2, behind: 1 });
  await until(
    () => show(lab, id),
    ({ state }) => state === 'live',
  );
  t.match(await lab.catalog.playable(String(id)), { bundleName: name, bundle: { durationMs: 10_500 } });
  t.strictSame(lab.catalog.counts(), {
    queued: 0,
    encoding: 0,
    filling: 0,
    live: 1,
    failed: 0,
    withdrawn: 0,
  });
  await until(
    () => lab.blobs.stat(job.sourceKey),
    (found) => found === undefined,
  );
});

t.test('titles are listed, renamed and pinned; viewers may read only', async (t) => {
  const root = await openRoot(t);
  await writeFile(join(root, 'film.mp4'), film);
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const first = await create(lab, { name: 'First', path: join(root, 'film.mp4') });
  const second = await create(lab, { name: 'Second', path: join(root, 'film.mp4') });
  const url = `${lab.url}/v1/titles/${String(second.body['id'])}`;
  const patched = await call(url, {
    method: 'PATCH',
    headers: operator,
    json: { pinned: true, name: 'Zweiter' },
  });
  t.match(patched, { status: 200, body: { name: 'Zweiter', pinned: true } });
  const forecast = { viewingsPerDay: 5000, launchAtMs: Date.UTC(2026, 11, 24) };
  const foreseen = await call(url, { method: 'PATCH', headers: operator, json: { forecast } });
  t.match(foreseen, { status: 200, body: { name: 'Zweiter', pinned: true, forecast } });
  const viewer = asRole('viewer');
  const list = await call(`${lab.url}/v1/titles`, { headers: operator });
  t.match(list.body, { titles: [{ id: first.body['id'] }, { name: 'Zweiter' }] });
  const forViewers = await call(`${lab.url}/v1/titles`, { headers: viewer });
  t.strictSame(forViewers.body, { titles: [] }, 'what cannot be played yet is for operators');
  t.match(await call(url, { headers: viewer }), { status: 404, body: { code: 'TITLE_UNKNOWN' } });
  t.match(await call(url, { method: 'PATCH', headers: viewer, json: { pinned: false } }), { status: 403 });
  t.match(await call(url, { method: 'PATCH', headers: operator, json: {} }), {
    status: 400,
    body: { code: 'INVALID' },
  });
  t.match(await call(`${lab.url}/v1/titles/title_unknown-unknown`, { headers: viewer }), {
    status: 404,
    body: { code: 'TITLE_UNKNOWN' },
  });
});

t.test('a title is made from exactly one complete, unused source', async (t) => {
  const lab = await openCatalogLab(t);
  t.match(await create(lab, { name: 'x' }), { status: 400, body: { code: 'INVALID' } });
  const begun = await call(`${lab.url}/v1/uploads`, {
    headers: operator,
    json: { filename: 'x', sizeBytes: 5 },
  });
  const { uploadId } = begun.body;
  t.match(await create(lab, { name: 'x', uploadId }), { status: 409, body: { code: 'UPLOAD_INCOMPLETE' } });
  t.match(await create(lab, { name: 'x', uploadId, path: '/x' }), { status: 400, body: { code: 'INVALID' } });
  t.match(await create(lab, { name: 'x', uploadId: 'upload_unknown-unknown' }), {
    status: 404,
    body: { code: 'UPLOAD_UNKNOWN' },
  });
  t.match(await create(lab, { name: 'a\u0000b', uploadId }), { status: 400, body: { code: 'INVALID' } });
  const complete = await upload(lab, film);
  const [one, two] = await Promise.all([
    create(lab, { name: 'one', uploadId: complete }),
    create(lab, { name: 'two', uploadId: complete }),
  ]);
  t.strictSame([one.status, two.status].map((status) => (status === 404 ? 409 : status)).sort(), [201, 409]);
});

t.test('paths: only regular files that really lie under a root', async (t) => {
  const root = await openRoot(t);
  const outside = await openRoot(t);
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root, join(root, 'not-there')] } });
  const tryPath = (path: string): Promise<Answer> => create(lab, { name: 'x', path });
  await writeFile(join(outside, 'secret'), 'secret');
  await mkdir(join(root, 'folder'));
  await writeFile(join(root, 'folder', 'film.mp4'), film);
  await writeFile(join(root, 'empty.mp4'), '');
  await symlink(join(outside, 'secret'), join(root, 'link-out'));
  await symlink(outside, join(root, 'folder-out'));
  await symlink('folder/film.mp4', join(root, 'link-in'));
  await symlink('loop', join(root, 'loop'));
  await promisify(execFile)('mkfifo', [join(root, 'pipe')]);
  const socket = createServer().listen(join(root, 'socket'));
  t.teardown(() => socket.close());
  for (const path of [
    join(outside, 'secret'),
    join(outside, 'not-there'),
    `${root}/../${outside.split('/').pop() ?? ''}/secret`,
    join(root, 'link-out'),
    join(root, 'folder-out', 'secret'),
    `${root}-sibling/film.mp4`,
    root,
    '/etc/passwd',
    '/proc/self/environ',
    'film.mp4',
    '../film.mp4',
    `file://${root}/folder/film.mp4`,
    `${root}/folder\u0000/film.mp4`,
  ]) {
    t.match(await tryPath(path), { status: 403, body: { code: 'PATH_NOT_ALLOWED' } }, path);
  }
  for (const path of [
    join(root, 'missing'),
    join(root, 'folder'),
    join(root, 'loop'),
    join(root, 'pipe'),
    join(root, 'socket'),
  ]) {
    t.match(await tryPath(path), { status: 400, body: { code: 'PATH_UNREADABLE' } }, path);
  }
  t.match(await tryPath(join(root, 'empty.mp4')), { status: 422, body: { code: 'SOURCE_EMPTY' } });
  t.match(await tryPath(join(root, 'folder', 'film.mp4')), { status: 201 });
  t.match(await tryPath(join(root, 'link-in')), { status: 201 }, 'a link that stays inside is fine');
  await lab.catalog.settled();
  t.strictSame(lab.catalog.counts(), {
    queued: 2,
    encoding: 0,
    filling: 0,
    live: 0,
    failed: 0,
    withdrawn: 0,
  });
  t.equal((await lease(lab)).sizeBytes, film.length);
});

t.test('a file that may not be read is told so', async (t) => {
  if (process.getuid?.() === 0) {
    t.comment('skipped: root reads everything');
    return;
  }
  const root = await openRoot(t);
  await writeFile(join(root, 'film.mp4'), film);
  await chmod(join(root, 'film.mp4'), 0);
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const answer = await create(lab, { name: 'x', path: join(root, 'film.mp4') });
  t.match(answer, { status: 400, body: { code: 'PATH_UNREADABLE', detail: /EACCES/ } });
});

t.test('without configured roots no path is taken', async (t) => {
  const lab = await openCatalogLab(t);
  const answer = await create(lab, { name: 'x', path: '/etc/hostname' });
  t.match(answer, {
    status: 403,
    body: { code: 'PATH_NOT_ALLOWED', detail: /no ingest root is configured/ },
  });
});

t.test('a source that vanishes or cannot be stored fails its title and nothing else', async (t) => {
  const root = await openRoot(t);
  await writeFile(join(root, 'film.mp4'), film);
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  // A folder where the blobs' folder of sources should be is what a broken store looks like.
  await writeFile(join(lab.directory, 'blobs', 'sources'), 'in the way');
  const uploadId = await upload(lab, film);
  const failed = await create(lab, { name: 'fails', uploadId });
  const title = await until(
    () => show(lab, failed.body['id']),
    ({ state }) => state === 'failed',
  );
  t.match(title.error, { code: 'KEY_INVALID' });
  await rename(join(lab.directory, 'blobs', 'sources'), join(lab.directory, 'gone'));
  const again = await create(lab, { name: 'again', uploadId });
  t.equal(again.status, 201, 'the upload is given back');
  t.equal((await lease(lab)).titleId, again.body['id']);
});

t.test('a full disk while a source is stored', async (t) => {
  const disk = await mountSmallDisk(12_000_000);
  if (typeof disk === 'string') {
    t.comment(`skipped: ${disk}`);
    return;
  }
  t.teardown(() => disk.unmount());
  const lab = await openCatalogLab(t, { directory: disk.path });
  const bytes = Buffer.alloc(6_500_000, 7);
  const uploadId = await upload(lab, bytes);
  const { body } = await create(lab, { name: 'too much', uploadId });
  const title = await until(
    () => show(lab, body['id']),
    ({ state }) => state === 'failed',
  );
  t.match(title.error, { code: 'DISK_FULL' });
  t.strictSame(await lab.blobs.list('sources/'), [], 'nothing half-published');
  t.match(await call(`${lab.url}/v1/uploads/${uploadId}`, { headers: operator }), {
    body: { complete: true },
  });
  t.match(await create(lab, { name: 'still here', uploadId }), { status: 201 }, 'the rest keeps running');
});

t.test('a process that ends in mid-ingest leaves the work to the next', async (t) => {
  const directory = await openRoot(t);
  const first = await openCatalogLab(t, { directory, still: true });
  const uploadId = await upload(first, film);
  // As a process leaves it that was killed between the two writes.
  const record = await first.records.get('uploads', uploadId);
  await first.records.put('uploads', uploadId, {
    ...(record?.value as object),
    titleId: 'title_never-written',
  });
  await first.close();
  const second = await openCatalogLab(t, { directory });
  const created = await until(
    () => create(second, { name: 'x', uploadId }),
    ({ status }) => status !== 409,
  );
  t.equal(created.status, 201, 'a claim without a title is given back');
  await second.catalog.settled();
  const stored = await second.records.get('titles', String(created.body['id']));
  await second.close();
  const third = await openCatalogLab(t, { directory, still: true });
  await third.records.put('titles', String(created.body['id']), {
    ...(stored?.value as object),
    phase: 'storing',
    job: undefined,
  });
  await third.close();
  const fourth = await openCatalogLab(t, { directory });
  t.match(
    await until(
      () => show(fourth, created.body['id']),
      ({ state }) => state === 'failed',
    ),
    {
      error: { code: 'STORE_UNAVAILABLE' },
    },
    'its upload is gone, and that is told',
  );
  t.equal(
    (await readFile(join(directory, 'blobs', 'sources', String(created.body['id'])))).length,
    film.length,
  );
});

t.test('a source that blobs do not take is let go of: its title fails, no file stays open', async (t) => {
  const root = await openRoot(t);
  const path = join(root, 'film.mp4');
  await writeFile(path, film);
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const temps = join(lab.directory, 'blobs', '.temps');
  await rm(temps, { recursive: true });
  await writeFile(temps, 'in the way');
  const { body } = await create(lab, { name: 'Film', path });
  await lab.catalog.settled();
  t.match(await show(lab, body['id']), { state: 'failed', error: { code: 'STORE_UNAVAILABLE' } });
  const openFiles = async () => {
    const fds = await readdir('/proc/self/fd');
    return Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  };
  await until(openFiles, (files) => !files.includes(path));
});

t.test('an upload whose file is gone fails its title, and nothing else', async (t) => {
  const lab = await openCatalogLab(t);
  const uploadId = await upload(lab, film);
  await rm(join(lab.directory, 'uploads', uploadId));
  const { body } = await create(lab, { name: 'Film', uploadId });
  await lab.catalog.settled();
  t.match(await show(lab, body['id']), { state: 'failed', error: { code: 'STORE_UNAVAILABLE' } });
});
