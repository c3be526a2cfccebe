import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { writeBlobBytes } from '../../../../common/adapters/blobs/bytes.ts';
import type { Bundle } from '../../../../common/contract/bundle.ts';
import type { EncodeJob, TitleView } from '../../../../common/contract/titles.ts';
import { createManualClock, type ManualClock } from '../../../../common/runtime/manual-clock.ts';
import { call, type Answer } from '../../support/call.ts';
import { openCatalogLab, type CatalogLab, type CatalogLabOptions } from '../../support/catalog-lab.ts';
import { asEncoder, asRole } from '../../support/fake-credentials.ts';
import { publishFile, publishSampleBundle } from '../../support/publish-bundle.ts';
import { fileNamed } from '../../support/sample-bundle.ts';
import { until } from '../../support/until.ts';

const operator = asRole('operator');

interface JobsLab extends CatalogLab {
  clock: ManualClock;
  addTitle(name: string): Promise<string>;
}

async function openJobsLab(t: Test, given: CatalogLabOptions = {}): Promise<JobsLab> {
  const root = await mkdtemp(join(tmpdir(), 'nearcast-jobs-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  await writeFile(join(root, 'film.mp4'), 'a film');
  const clock = createManualClock();
  const options = { ingestRoots: [root], encodeLeaseMs: 10_000, encodeRetryDelayMs: 5000, ...given.options };
  const lab = await openCatalogLab(t, { clock, ...given, options });
  const addTitle = async (name: string): Promise<string> => {
    const json = { name, path: join(root, 'film.mp4') };
    const { body } = await call(`${lab.url}/v1/titles`, { headers: operator, json });
    await lab.catalog.settled();
    return String(body['id']);
  };
  return { ...lab, clock, addTitle };
}

async function tryLease(lab: CatalogLab, worker: string, waitMs = 0): Promise<Answer> {
  return await call(`${lab.url}/v1/encode-jobs/lease`, { headers: asEncoder(worker), json: { waitMs } });
}

async function lease(lab: CatalogLab, worker = 'encoder-1'): Promise<EncodeJob> {
  const answer = await tryLease(lab, worker);
  if (answer.status !== 200) throw new Error(`no job: ${answer.status} ${answer.text}`);
  return answer.body as unknown as EncodeJob;
}

type Verb = 'progress' | 'complete' | 'fail';

async function report(
  lab: CatalogLab,
  verb: Verb,
  { job, json, worker = 'encoder-1' }: ReportOptions,
): Promise<Answer> {
  const url = `${lab.url}/v1/encode-jobs/${job.jobId}/${verb}`;
  return await call(url, { headers: asEncoder(worker), json: { leaseId: job.leaseId, ...json } });
}

interface ReportOptions {
  job: EncodeJob;
  json: object;
  worker?: string;
}

async function show(lab: CatalogLab, id: string): Promise<TitleView> {
  return (await call(`${lab.url}/v1/titles/${id}`, { headers: operator })).body as unknown as TitleView;
}

const half = { fraction: 0.5, stage: 'half' };

t.test('encoders race for leases: each job goes to one of them, the oldest first', async (t) => {
  const lab = await openJobsLab(t);
  const ids: string[] = [];
  for (const name of ['one', 'two', 'three']) {
    ids.push(await lab.addTitle(name));
    await lab.clock.advance(1);
  }
  const answers = await Promise.all(['e1', 'e2', 'e3', 'e4', 'e5'].map((worker) => tryLease(lab, worker)));
  const jobs = answers.filter(({ status }) => status === 200).map(({ body }) => body as unknown as EncodeJob);
  t.equal(answers.filter(({ status }) => status === 204).length, 2);
  t.strictSame(jobs.map(({ titleId }) => titleId).sort(), ids.toSorted());
  t.equal(new Set(jobs.map(({ leaseId }) => leaseId)).size, 3);
});

t.test('a long poll is answered by the job that comes, or with nothing when its time is over', async (t) => {
  const lab = await openJobsLab(t, { options: { encodeLeaseMs: 60_000 } });
  const polls = [tryLease(lab, 'e1', 20_000), tryLease(lab, 'e2', 20_000)];
  await until(
    () => lab.clock.sleeping(),
    (count) => count >= 5,
  );
  const titleId = await lab.addTitle('late');
  t.match(await Promise.race(polls), { status: 200, body: { titleId } });
  await lab.clock.advance(20_000);
  t.strictSame((await Promise.all(polls)).map(({ status }) => status).sort(), [200, 204]);
  t.match(await tryLease(lab, 'e1', 30_001), { status: 400, body: { code: 'INVALID' } });
});

t.test('a job is for enrolled encoders only', async (t) => {
  const lab = await openJobsLab(t);
  const url = `${lab.url}/v1/encode-jobs/lease`;
  t.match(await call(url, { json: { waitMs: 0 } }), { status: 401 });
  t.match(await call(url, { headers: operator, json: { waitMs: 0 } }), { status: 403 });
});

t.test('a lease that is renewed holds; one that is not goes back, three times at most', async (t) => {
  const lab = await openJobsLab(t);
  const id = await lab.addTitle('film');
  const first = await lease(lab);
  for (let renewals = 0; renewals < 5; renewals++) {
    await lab.clock.advance(9000);
    t.equal((await report(lab, 'progress', { job: first, json: half })).status, 204);
  }
  await lab.clock.advance(10_600);
  await until(
    () => show(lab, id),
    ({ state }) => state === 'queued',
  );
  t.match((await show(lab, id)).stage, /attempt 2 of 3 after LEASE_LOST/);
  for (const verb of ['progress', 'complete', 'fail'] as const) {
    const json = {
      progress: half,
      complete: { bundle: fileNamed('x') },
      fail: { code: 'X', detail: '', final: true },
    }[verb];
    t.match(
      await report(lab, verb, { job: first, json }),
      { status: 409, body: { code: 'LEASE_LOST' } },
      verb,
    );
  }
  t.equal((await tryLease(lab, 'encoder-2')).status, 204, 'it waits before the next attempt');
  for (const attempt of [2, 3]) {
    await lab.clock.advance(5000);
    t.match(await lease(lab, `encoder-${attempt}`), { attempt, titleId: id });
    await lab.clock.advance(10_600);
  }
  const failed = await until(
    () => show(lab, id),
    ({ state }) => state === 'failed',
  );
  t.match(failed.error, { code: 'LEASE_LOST', detail: /encoder-3/ });
  await lab.clock.advance(60_000);
  t.equal((await tryLease(lab, 'encoder-4')).status, 204);
  await until(
    () => lab.blobs.stat(first.sourceKey),
    (found) => found === undefined,
  );
});

t.test('a waiting encoder gets the job of one that has gone silent', async (t) => {
  const lab = await openJobsLab(t);
  const id = await lab.addTitle('film');
  await lease(lab, 'silent');
  const poll = tryLease(lab, 'patient', 30_000);
  await until(
    () => lab.clock.sleeping(),
    (count) => count >= 5,
  );
  await lab.clock.advance(10_600);
  await until(
    () => show(lab, id),
    ({ state }) => state === 'queued',
  );
  await lab.clock.advance(5000);
  t.match(await poll, { status: 200, body: { titleId: id, attempt: 2 } });
});

t.test('only the encoder that holds the lease may speak for it', async (t) => {
  const lab = await openJobsLab(t);
  await lab.addTitle('film');
  const job = await lease(lab);
  t.match(await report(lab, 'progress', { job, json: half, worker: 'thief' }), {
    status: 409,
    body: { code: 'LEASE_LOST' },
  });
  t.match(await report(lab, 'progress', { job: { ...job, leaseId: 'guessed-lease' }, json: half }), {
    status: 409,
  });
  t.match(await report(lab, 'progress', { job: { ...job, jobId: 'job_unknown-unknown' }, json: half }), {
    status: 404,
    body: { code: 'JOB_UNKNOWN' },
  });
  t.match(await report(lab, 'progress', { job, json: { fraction: 2, stage: '' } }), { status: 400 });
});

t.test('failures: of the source they are final, others are tried again', async (t) => {
  const lab = await openJobsLab(t);
  const id = await lab.addTitle('broken');
  const job = await lease(lab);
  const json = { code: 'SOURCE_NOT_VIDEO', detail: 'moov atom not found', final: true };
  t.equal((await report(lab, 'fail', { job, json })).status, 204);
  t.equal((await report(lab, 'fail', { job, json })).status, 204, 'a repetition is no error');
  t.match(await show(lab, id), {
    state: 'failed',
    error: { code: 'SOURCE_NOT_VIDEO', detail: 'moov atom not found' },
  });
  const other = await lab.addTitle('retried');
  const first = await lease(lab);
  await report(lab, 'fail', { job: first, json: { code: 'made-up', detail: 'it broke', final: false } });
  t.match(await show(lab, other), { state: 'queued', stage: /attempt 2 of 3 after ENCODE_FAILED/ });
  await lab.clock.advance(5000);
  t.match(await lease(lab), { titleId: other, attempt: 2 });
});

t.test('a job that a stopping encoder hands back costs no attempt and waits for nothing', async (t) => {
  const lab = await openJobsLab(t);
  const id = await lab.addTitle('film');
  const json = { code: 'DRAINING', detail: 'the encoder stops', final: false };
  for (let restarts = 0; restarts < 5; restarts++) {
    const job = await lease(lab);
    t.equal(job.attempt, 1);
    t.equal((await report(lab, 'fail', { job, json })).status, 204);
    t.match(await show(lab, id), { state: 'queued', stage: 'waiting for an encoder' });
    t.match(await report(lab, 'progress', { job, json: half }), { status: 409 }, 'the lease is over');
  }
  t.match(await lease(lab, 'encoder-2'), { titleId: id, attempt: 1 });
});

t.test('an encoder that goes away before it is answered costs no attempt', async (t) => {
  const lab = await openJobsLab(t);
  const { hostname, port } = new URL(lab.url);
  const poll = request({
    host: hostname,
    port,
    path: '/v1/encode-jobs/lease',
    method: 'POST',
    headers: { ...asEncoder('gone'), 'content-type': 'application/json' },
  });
  poll.on('error', () => undefined);
  poll.end(JSON.stringify({ waitMs: 30_000 }));
  await until(
    () => lab.clock.sleeping(),
    (count) => count >= 5,
  );
  poll.destroy();
  await until(
    () => lab.clock.sleeping(),
    (count) => count === 4,
  );
  const id = await lab.addTitle('film');
  t.match(await lease(lab, 'encoder-2'), { titleId: id, attempt: 1 });
});

const corruptions: readonly [string, (lab: CatalogLab) => Promise<string>, RegExp][] = [
  ['nothing published', async () => fileNamed('nothing'), /is not in blobs/],
  ['no JSON', async ({ blobs }) => await publishFile(blobs, Buffer.from('{')), /is not JSON/],
  [
    'another shape',
    async ({ blobs }) => await publishFile(blobs, Buffer.from('{"version":1}')),
    /bundle [0-9a-f]+: .*missing/,
  ],
  [
    'content that is not its name',
    async ({ blobs }) => {
      const { name } = await publishSampleBundle(blobs);
      await writeBlobBytes({ blobs, key: `files/${name}` }, Buffer.from('{}'));
      return name;
    },
    /does not match its name/,
  ],
  [
    'ranges beyond a file',
    async ({ blobs }) => await spoiled(blobs, (bundle) => bundle.video[0]?.segments.push([9e9, 1, 1])),
    /up to byte 9000000001/,
  ],
  [
    'a file of another size',
    async ({ blobs }) => await spoiled(blobs, (bundle) => enlarge(bundle, 'jpg')),
    /instead of 9001/,
  ],
  [
    'a missing file',
    async ({ blobs }) => {
      const { name, bundle } = await publishSampleBundle(blobs);
      await blobs.remove(`files/${bundle.poster}`);
      return name;
    },
    /file [0-9a-f]+ is not in blobs/,
  ],
  [
    'a missing chunk list',
    async ({ blobs }) => {
      const { name, bundle } = await publishSampleBundle(blobs);
      await blobs.remove(`files/${bundle.poster}.chunks`);
      return name;
    },
    /chunk list of [0-9a-f]+ is not in blobs/,
  ],
  [
    'a forged chunk list',
    async ({ blobs }) => {
      const { name, bundle } = await publishSampleBundle(blobs);
      await writeBlobBytes({ blobs, key: `files/${bundle.poster}.chunks` }, Buffer.alloc(55));
      return name;
    },
    /does not hash to/,
  ],
];

async function spoiled(blobs: CatalogLab['blobs'], spoil: (bundle: Bundle) => void): Promise<string> {
  return (await publishSampleBundle(blobs, spoil)).name;
}

function enlarge(bundle: Bundle, ext: string): void {
  const file = bundle.files.find((entry) => entry.ext === ext);
  if (file !== undefined) file.sizeBytes++;
}

t.test('a job is complete only with a bundle that is whole', async (t) => {
  const lab = await openJobsLab(t);
  const id = await lab.addTitle('film');
  const job = await lease(lab);
  for (const [what, corrupt, detail] of corruptions) {
    const answer = await report(lab, 'complete', { job, json: { bundle: await corrupt(lab) } });
    t.match(answer, { status: 502, body: { code: 'BUNDLE_INVALID', detail } }, what);
    t.match(await show(lab, id), { state: 'encoding' }, 'the encoder may publish again');
  }
  const { name } = await publishSampleBundle(lab.blobs);
  const twice = [1, 2].map(() => report(lab, 'complete', { job, json: { bundle: name } }));
  const answers = await Promise.all(twice);
  t.strictSame(
    answers.map(({ status }) => status),
    [204, 204],
    'sent again while the first was looked at',
  );
  t.match(await show(lab, id), { state: 'filling', bundle: name });
  t.match(await report(lab, 'fail', { job, json: { code: 'X', detail: '', final: true } }), { status: 409 });
});

t.test('a restart keeps queue and leases, each with a new term', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-restart-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const first = await openJobsLab(t, { directory });
  const [leased, waiting] = [await first.addTitle('leased'), await first.addTitle('waiting')];
  const job = await lease(first);
  const [atWork, inQueue] = job.titleId === leased ? [leased, waiting] : [waiting, leased];
  await first.clock.advance(9000);
  await first.close();
  const second = await openJobsLab(t, { directory });
  await second.clock.advance(9000);
  t.equal((await report(second, 'progress', { job, json: half })).status, 204, 'the encoder at work goes on');
  t.match(await lease(second, 'encoder-2'), { titleId: inQueue, attempt: 1 });
  const { name } = await publishSampleBundle(second.blobs);
  t.equal((await report(second, 'complete', { job, json: { bundle: name } })).status, 204);
  await second.catalog.settled();
  await second.close();
  const third = await openJobsLab(t, { directory });
  t.equal(
    (await report(third, 'complete', { job, json: { bundle: name } })).status,
    204,
    'a repetition after a restart',
  );
  t.match(await show(third, atWork), { bundle: name });
});

t.test('sources are kept where the operator wants it', async (t) => {
  const lab = await openJobsLab(t, { options: { keepSources: true } });
  await lab.addTitle('film');
  const job = await lease(lab);
  const { name } = await publishSampleBundle(lab.blobs);
  await report(lab, 'complete', { job, json: { bundle: name } });
  await lab.catalog.settled();
  t.ok(await lab.blobs.stat(job.sourceKey));
});
