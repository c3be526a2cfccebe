import { copyFile, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { openBlobs } from '../../common/adapters/blobs/open.ts';
import type { EncodeJob } from '../../common/contract/titles.ts';
import { createSystemChance } from '../../common/runtime/chance.ts';
import { createSystemClock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import { createLifecycle, type Lifecycle } from '../../common/runtime/lifecycle.ts';
import { createSilentLog } from '../../common/runtime/log.ts';
import { createMetrics } from '../../common/runtime/metrics.ts';
import type { JobFailure, Jobs } from '../../encoder/jobs.ts';
import { createEncoderMetrics } from '../../encoder/metrics.ts';
import { openWorkDirectory } from '../../encoder/work-directory.ts';
import { createWorker, type WorkerOptions } from '../../encoder/worker.ts';
import { contentKey } from '../../common/core/file-keys.ts';
import { makeClip, openTestFfmpeg, picture, quick, testUser, tone } from './support/clips.ts';

const clock = createSystemClock();
const clips = t.testdir();
const short = await makeClip(join(clips, 'short.mp4'), [...picture({ seconds: 1 }), ...tone(1), ...quick]);
const long = await makeClip(join(clips, 'long.mp4'), [
  ...picture({ size: '640x360', seconds: 120 }),
  ...quick,
]);

type Ending = { kind: 'complete'; bundle: string } | ({ kind: 'fail' } & JobFailure);

/** A control plane of one job, in memory. */
class OneJob implements Jobs {
  readonly stages: string[] = [];
  readonly fractions: number[] = [];
  readonly ended = Promise.withResolvers<Ending>();
  readonly encoding = Promise.withResolvers<undefined>();
  leases = 0;
  endings = 0;
  /** What the next calls fail with. */
  failures: { lease?: Error; progress?: Error; complete?: Error[] } = {};
  #job: EncodeJob | undefined;

  constructor(job?: Partial<EncodeJob>) {
    this.#job = {
      ...{
        jobId: 'job_aaaaaaaa',
        leaseId: 'lease-aaaa',
        leaseMs: 3000,
        titleId: 'ttl_aaaaaaaa',
        name: 'A film',
      },
      ...{ sourceKey: 'sources/one', sizeBytes: 0, attempt: 1, ...job },
    };
  }

  async lease(waitMs: number, signal: AbortSignal): Promise<EncodeJob | undefined> {
    this.leases++;
    const { lease } = this.failures;
    delete this.failures.lease;
    if (lease !== undefined) throw lease;
    const job = this.#job;
    this.#job = undefined;
    if (job === undefined) await clock.sleep(waitMs, { signal });
    return job;
  }

  async progress(_lease: unknown, { fraction, stage }: { fraction: number; stage: string }): Promise<void> {
    if (this.stages.at(-1) !== stage) this.stages.push(stage);
    this.fractions.push(fraction);
    if (stage === 'encoding') this.encoding.resolve(undefined);
    if (stage === 'encoding' && this.failures.progress !== undefined) throw this.failures.progress;
  }

  async complete(_lease: unknown, { bundle }: { bundle: string }): Promise<void> {
    const failure = this.failures.complete?.shift();
    if (failure !== undefined) throw failure;
    this.endings++;
    this.ended.resolve({ kind: 'complete', bundle });
  }

  async fail(_lease: unknown, failure: JobFailure): Promise<void> {
    this.endings++;
    this.ended.resolve({ kind: 'fail', ...failure });
  }
}

interface Bench {
  lifecycle: Lifecycle;
  directory: string;
  workPath: string;
  published: () => Promise<readonly string[]>;
}

/** Starts a worker over real blobs and the real ffmpeg. The directory is one that ffmpeg's user could not enter by itself. */
async function startWorker(
  t: Tap,
  jobs: Jobs,
  {
    source,
    ...changes
  }: { source?: string; freeBytes?: () => Promise<number> } & Partial<WorkerOptions> = {},
): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-worker-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const blobs = await openBlobs(pathToFileURL(join(directory, 'blobs')).href);
  await mkdir(join(directory, 'blobs', 'sources'), { recursive: true });
  if (source !== undefined) await copyFile(source, join(directory, 'blobs', 'sources', 'one'));
  const workPath = join(directory, 'work');
  const { freeBytes } = changes;
  const log = createSilentLog();
  const worker = createWorker({
    ...{ jobs, blobs, clock, log, chance: createSystemChance() },
    ffmpeg: await openTestFfmpeg(),
    workDirectory: await openWorkDirectory({
      path: workPath,
      user: testUser,
      ...(freeBytes && { freeBytes }),
    }),
    metrics: createEncoderMetrics(createMetrics({ name: 'encoder', version: '0' })),
    concurrency: 1,
    drainMs: 60_000,
    ...changes,
  });
  const lifecycle = createLifecycle({ components: [worker], log, clock });
  await lifecycle.start();
  t.teardown(() => lifecycle.stop());
  const published = async (): Promise<readonly string[]> =>
    (await blobs.list('files/')).map(({ key }) => key);
  return { lifecycle, directory, workPath, published };
}
type Tap = Pick<typeof t, 'teardown'>;

async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size;
}

await t.test('a job is done, published, completed and leaves nothing behind', async (t) => {
  const jobs = new OneJob({ sizeBytes: await sizeOf(short) });
  jobs.failures.complete = [coded('CONTROL_UNREACHABLE')];
  const bench = await startWorker(t, jobs, { source: short });
  const ended = await jobs.ended.promise;
  t.equal(ended.kind, 'complete');
  const bundle = ended.kind === 'complete' ? ended.bundle : '';
  t.ok((await bench.published()).includes(contentKey(bundle)));
  t.ok(jobs.fractions.every((fraction, index) => fraction >= (jobs.fractions[index - 1] ?? 0)));
  await bench.lifecycle.stop();
  t.same(await readdir(bench.workPath), []);
  t.equal(jobs.leases, 2, 'it asked for the next');
});

await t.test('a source that is at fault fails for good', async (t) => {
  const path = join(clips, 'text.txt');
  await writeFile(path, 'not a film');
  const jobs = new OneJob({ sizeBytes: 10 });
  const bench = await startWorker(t, jobs, { source: path });
  t.match(await jobs.ended.promise, {
    kind: 'fail',
    code: 'SOURCE_NOT_VIDEO',
    final: true,
    detail: /first bytes/,
  });
  t.same(await bench.published(), []);
});

await t.test('a source that is gone, or not as large as announced', async (t) => {
  const gone = new OneJob({ sizeBytes: 10 });
  await startWorker(t, gone);
  t.match(await gone.ended.promise, { kind: 'fail', code: 'FILE_UNKNOWN', final: true });
  const other = new OneJob({ sizeBytes: 10 });
  await startWorker(t, other, { source: short });
  t.match(await other.ended.promise, { kind: 'fail', code: 'FILE_CORRUPT', final: false });
});

await t.test('too little space is said before the work', async (t) => {
  const jobs = new OneJob({ sizeBytes: await sizeOf(short) });
  const bench = await startWorker(t, jobs, { source: short, freeBytes: async () => 1024 });
  t.match(await jobs.ended.promise, { kind: 'fail', code: 'DISK_FULL', final: false, detail: /MiB/ });
  t.same(await readdir(bench.workPath), []);
});

await t.test('a lost lease stops the encode at once, publishes and reports nothing', async (t) => {
  const jobs = new OneJob({ sizeBytes: await sizeOf(long) });
  jobs.failures.progress = coded('LEASE_LOST');
  const bench = await startWorker(t, jobs, { source: long });
  await jobs.encoding.promise;
  while (jobs.leases < 2) await clock.sleep(10);
  t.same(await readdir(bench.workPath), []);
  t.same(await bench.published(), []);
  await bench.lifecycle.stop();
  t.equal(jobs.endings, 0);
});

await t.test('draining hands a job back when its time is over', async (t) => {
  const jobs = new OneJob({ sizeBytes: await sizeOf(long) });
  const bench = await startWorker(t, jobs, { source: long, drainMs: 50 });
  await jobs.encoding.promise;
  await bench.lifecycle.stop();
  t.match(await jobs.ended.promise, { kind: 'fail', code: 'DRAINING', final: false });
  t.same(await readdir(bench.workPath), []);
  t.same(await bench.published(), []);
});

await t.test('draining lets a job finish within its time', async (t) => {
  const jobs = new OneJob({ sizeBytes: await sizeOf(short) });
  const bench = await startWorker(t, jobs, { source: short });
  while (jobs.fractions.length === 0) await clock.sleep(5);
  await bench.lifecycle.stop();
  t.match(await jobs.ended.promise, { kind: 'complete' });
  t.equal(jobs.leases, 1, 'and asks for no other');
});

await t.test('a control plane that is away is asked again', async (t) => {
  const jobs = new OneJob({ sizeBytes: await sizeOf(short) });
  jobs.failures.lease = coded('CONTROL_UNREACHABLE');
  await startWorker(t, jobs, { source: short });
  t.match(await jobs.ended.promise, { kind: 'complete' });
});

await t.test('what a killed encoder left is gone at the next start', async (t) => {
  const path = join(t.testdir({ work: { 'job_old-x': { 'video-0.mp4': 'half' } } }), 'work');
  await openWorkDirectory({ path, user: testUser });
  t.same(await readdir(path), []);
});
