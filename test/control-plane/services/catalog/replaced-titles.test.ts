import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import { descriptorKey } from '../../../../common/core/file-keys.ts';
import type { Uploads } from '../../../../control-plane/services/catalog/uploads.ts';
import { makeVideo, onAir } from '../../support/replace-lab.ts';

const hourMs = 3_600_000;

t.test('a title is played as it was until its new video is live, site by site', async (t) => {
  const { lab, first, standing } = await onAir(t);
  t.match(lab.view(), { state: 'live', bundle: first.name, replacement: undefined });
  t.match((await lab.retake('second')).body, { results: [{ outcome: 'unchanged' }] });
  t.match(lab.view(), { state: 'live', bundle: first.name, replacement: { state: 'queued' } });
  t.equal(await lab.plays('isp-a'), first.name);
  const second = await lab.encode('second');
  t.match(lab.view(), { state: 'live', replacement: { state: 'filling', bundle: second.name } });
  t.same(lab.bundles(), [second.name, first.name], 'both are planned and steered');
  await lab.catalog.review();
  t.equal(await lab.plays('isp-a'), first.name, 'no copy stands yet');

  standing.set(second.name, ['a']);
  await lab.catalog.review();
  t.match(lab.view(), {
    ...{ state: 'live', bundle: second.name, waitingSites: ['isp-b'], replacement: undefined },
    former: [{ bundle: first.name, sites: ['isp-b'] }],
  });
  t.equal(await lab.plays('isp-a'), second.name);
  t.equal(await lab.plays('isp-b'), first.name);
  t.equal(await lab.plays(), second.name);
  standing.set(first.name, []);
  await lab.catalog.review();
  t.equal(await lab.plays('isp-b'), first.name, 'a site that has been live stays so');

  standing.set(second.name, ['a', 'b']);
  await lab.catalog.review();
  t.equal(await lab.plays('isp-b'), second.name);
  t.match(lab.view(), { waitingSites: undefined, former: [{ bundle: first.name, heldUntilMs: Number }] });
});

t.test('the old video is held until the last session could end, then leaves boxes, then blobs', async (t) => {
  const { lab, first, standing } = await onAir(t);
  await lab.retake('second');
  const second = await lab.encode('second');
  standing.set(second.name, ['a', 'b']);
  await lab.catalog.review();
  t.same(lab.bundles(), [second.name, first.name]);
  t.ok(await lab.catalog.bundle(first.name), 'manifests of running sessions are made of it');
  let told = 0;
  lab.catalog.onBundlesChange(() => told++);
  // A sample lasts seconds: its tokens are good for four hours, and one is to spare.
  lab.clock.jumpWall(4.9 * hourMs);
  await lab.catalog.sweep();
  t.same([lab.bundles().length, told], [2, 0]);
  lab.clock.jumpWall(0.2 * hourMs);
  await lab.catalog.sweep();
  t.same(lab.bundles(), [second.name]);
  t.equal(told, 1, 'plans and maps are made anew');
  t.ok((await lab.stored(first)).every(Boolean), 'whoever fetches it ends first');
  lab.clock.jumpWall(hourMs);
  await lab.catalog.sweep();
  const [own, ...others] = await lab.stored(first);
  t.equal(own, false);
  t.equal(await lab.blobs.stat(descriptorKey(first.name)), undefined);
  t.ok(others.every(Boolean), 'what the new one is made of too stays');
  t.ok((await lab.stored(second)).every(Boolean));
  t.equal(lab.view().former, undefined);
  const [{ succeeds } = { succeeds: undefined }] = lab.catalog.bundles();
  t.match(succeeds, [{ bundle: first.name }], 'what was watched of it says what will be of the new one');
  lab.clock.jumpWall(200 * hourMs);
  await lab.catalog.sweep();
  t.equal(lab.catalog.bundles()[0]?.succeeds, undefined);
});

t.test('a failed encode leaves the old one on the air and says so; another try may follow', async (t) => {
  const { lab, first, standing } = await onAir(t);
  await lab.retake('broken');
  await lab.fail();
  t.match(lab.view(), {
    ...{ state: 'live', bundle: first.name, error: undefined },
    replacement: { state: 'failed', error: { code: 'SOURCE_NOT_VIDEO' } },
  });
  t.equal(await lab.plays('isp-b'), first.name);
  t.same(lab.bundles(), [first.name]);
  t.match((await lab.retake('broken')).body, {
    results: [{ code: 'SOURCE_REPLACED', detail: /SOURCE_NOT_VIDEO.*--again failed/ }],
  });
  t.match(lab.view().replacement, { state: 'failed' });
  await lab.retake('broken', 'failed');
  t.match(lab.view().replacement, { state: 'queued' });
  await lab.fail();
  await lab.retake('whole', 'failed');
  const second = await lab.encode('second');
  standing.set(second.name, ['a', 'b']);
  await lab.catalog.review();
  t.match(lab.view(), { state: 'live', bundle: second.name, replacement: undefined });
});

t.test(
  'replaced twice quickly: what was never played goes at once, each site plays the newest it has',
  async (t) => {
    const { lab, first, standing } = await onAir(t);
    await lab.retake('second');
    t.match((await lab.retake('third')).body, {
      results: [{ code: 'SOURCE_REPLACED', detail: /once that one is done/ }],
    });
    const second = await lab.encode('second');
    await lab.retake('third');
    t.match(lab.view(), {
      state: 'live',
      bundle: first.name,
      replacement: { state: 'queued', bundle: undefined },
    });
    t.same(lab.bundles(), [first.name], 'the second is planned no more');
    const third = await lab.encode('third!');
    standing.set(third.name, ['a']);
    await lab.catalog.review();
    await lab.retake('fourth');
    const fourth = await lab.encode('fourth!!');
    standing.set(fourth.name, ['b']);
    await lab.catalog.review();
    t.same([await lab.plays('isp-a'), await lab.plays('isp-b')], [third.name, fourth.name]);
    t.match(lab.view().former, [
      { bundle: third.name, sites: ['isp-a'] },
      { bundle: first.name, heldUntilMs: Number },
    ]);
    lab.clock.jumpWall(1.1 * hourMs);
    await lab.catalog.sweep();
    t.equal((await lab.stored(second))[0], false, 'nobody had a token for it');
    t.equal((await lab.stored(first))[0], true);
    t.equal((await lab.stored(third))[0], true);
  },
);

t.test('the same source makes the same files: nothing is switched and nothing leaves', async (t) => {
  const { lab, first } = await onAir(t);
  await lab.retake('copied');
  t.same(await lab.encode('first'), first);
  await lab.catalog.review();
  t.match(lab.view(), { state: 'live', bundle: first.name, replacement: undefined, former: undefined });
  t.equal(await lab.plays('isp-b'), first.name);
  lab.clock.jumpWall(300 * hourMs);
  await lab.catalog.sweep();
  t.ok((await lab.stored(first)).every(Boolean));
});

t.test('a video that comes back while it leaves, stays', async (t) => {
  const { lab, first, standing } = await onAir(t);
  for (const what of ['second', 'first']) {
    await lab.retake(`${what} again`);
    standing.set((await lab.encode(what)).name, ['a', 'b']);
    await lab.catalog.review();
  }
  t.equal(await lab.plays(), first.name);
  lab.clock.jumpWall(300 * hourMs);
  await lab.catalog.sweep();
  t.ok((await lab.stored(first)).every(Boolean));
  t.same(lab.bundles(), [first.name]);
});

t.test('a withdrawal takes all: what is played, what was, and what is being made', async (t) => {
  const { lab, first, standing } = await onAir(t);
  await lab.retake('second');
  const second = await lab.encode('second');
  standing.set(second.name, ['a', 'b']);
  await lab.catalog.review();
  await lab.retake('third');
  const third = await lab.encode('third!');
  const { bundle, others } = lab.catalog.withdrawable(lab.id);
  t.equal(bundle.bundle, second.name);
  t.same(
    others.map((one) => one.bundle),
    [third.name, first.name],
  );
  await lab.retake('fourth');
  await lab.catalog.settled();
  const job = await lab.catalog.jobs.lease('encoder', { waitMs: 0 });
  const refused = await lab.catalog.withdraw(lab.id);
  t.same(
    new Set(refused),
    new Set([first.name, second.name, third.name].filter((name) => refused.includes(name))),
  );
  t.ok([first.name, second.name].every((name) => refused.includes(name)));
  t.same(lab.bundles(), [], 'nothing is planned, held or steered');
  t.match(lab.view(), { state: 'withdrawn', replacement: undefined, former: undefined });
  const made = await makeVideo(lab, 'fourth!!');
  const by = { jobId: job?.jobId ?? '', worker: 'encoder' };
  await t.rejects(lab.catalog.jobs.complete(by, { leaseId: job?.leaseId ?? '', bundle: made.name }), {
    code: 'LEASE_LOST',
  });
  await lab.catalog.settled();
  t.equal(await lab.blobs.stat(`sources/${lab.id}`), undefined, 'nor is its source');
  lab.clock.jumpWall(2 * hourMs);
  await lab.catalog.sweep();
  t.equal((await lab.stored(first))[0], false);
  t.equal((await lab.stored(second))[0], true, 'the master copy of what was played stays');
  await lab.retake('fifth', 'withdrawn');
  t.match(lab.view(), { state: 'queued', bundle: undefined });
  lab.clock.jumpWall(2 * hourMs);
  await lab.catalog.sweep();
  t.equal((await lab.stored(second))[0], false, 'until the title is made anew');
});

t.test('a withdrawal between the storing of a new source and its job leaves neither', async (t) => {
  const { lab } = await onAir(t);
  const [begun, goesOn] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const write = lab.blobs.write.bind(lab.blobs);
  lab.blobs.write = async (...of) => {
    begun.resolve(undefined);
    await goesOn.promise;
    return await write(...of);
  };
  await lab.retake('second');
  await begun.promise;
  await lab.catalog.withdraw(lab.id);
  goesOn.resolve(undefined);
  await lab.catalog.settled();
  t.match(lab.view(), { state: 'withdrawn', replacement: undefined });
  t.equal(await lab.catalog.jobs.lease('encoder', { waitMs: 0 }), undefined);
  t.equal(await lab.blobs.stat(`sources/${lab.id}`), undefined);
});

t.test('what another title is made of too is neither withdrawn with it nor removed', async (t) => {
  const { lab, first, standing } = await onAir(t);
  const path = join(t.testdirName, 'film.mp4');
  const twin = await lab.catalog.createTitle({ name: 'Twin', path });
  t.same(await lab.encode('first'), first);
  t.throws(() => lab.catalog.withdrawable(lab.id), { code: 'CONFLICT' });
  await lab.retake('second');
  const second = await lab.encode('second');
  standing.set(second.name, ['a', 'b']);
  await lab.catalog.review();
  t.same(lab.catalog.withdrawable(lab.id).others, []);
  t.notOk((await lab.catalog.withdraw(lab.id)).includes(first.name));
  lab.clock.jumpWall(300 * hourMs);
  await lab.catalog.sweep();
  t.ok((await lab.stored(first)).every(Boolean));
  t.same(lab.bundles(), [first.name]);
  t.equal(lab.catalog.title(twin.id).bundle, first.name);
});

t.test('a process that dies at any step goes on where it was', async (t) => {
  const { lab: begun, first, standing } = await onAir(t);
  await begun.retake('second');
  let lab = await begun.again();
  t.match(lab.view(), { state: 'live', bundle: first.name, replacement: { state: 'queued' } });
  lab.catalog.start(new AbortController().signal);
  const second = await lab.encode('second');
  lab = await lab.again();
  t.match(lab.view(), { bundle: first.name, replacement: { state: 'filling', bundle: second.name } });
  standing.set(second.name, ['a']);
  await lab.catalog.review();
  lab = await lab.again();
  t.same([await lab.plays('isp-a'), await lab.plays('isp-b')], [second.name, first.name]);
  standing.set(second.name, ['a', 'b']);
  await lab.catalog.review();
  lab = await lab.again();
  t.match(lab.view(), { bundle: second.name, former: [{ bundle: first.name, heldUntilMs: Number }] });
  t.same(lab.bundles(), [second.name, first.name]);
  lab.clock.jumpWall(7 * hourMs);
  // Half of its files are gone when the process dies.
  const remove = lab.blobs.remove.bind(lab.blobs);
  lab.blobs.remove = async (key) => {
    await remove(key);
    throw new Error('killed');
  };
  await lab.catalog.sweep();
  lab = await lab.again();
  await lab.catalog.sweep();
  t.equal((await lab.stored(first))[0], false);
  t.equal(await lab.blobs.stat(descriptorKey(first.name)), undefined, 'the rest goes later');
  t.ok((await lab.stored(second)).every(Boolean));
});

t.test('a job whose files go while it ends is told so, and publishes them again', async (t) => {
  const { lab, first, standing } = await onAir(t);
  await lab.retake('second');
  standing.set((await lab.encode('second')).name, ['a', 'b']);
  await lab.catalog.review();
  await lab.retake('third');
  await lab.catalog.settled();
  const job = await lab.catalog.jobs.lease('encoder', { waitMs: 0 });
  const by = { jobId: job?.jobId ?? '', worker: 'encoder' };
  const end = { leaseId: job?.leaseId ?? '', bundle: first.name };
  const stat = lab.blobs.stat.bind(lab.blobs);
  let swept: Promise<void> | undefined;
  lab.clock.jumpWall(7 * hourMs);
  lab.blobs.stat = async (key) => {
    const found = await stat(key);
    swept ??= lab.catalog.sweep();
    return found;
  };
  await t.rejects(lab.catalog.jobs.complete(by, end), { code: 'BUNDLE_INVALID' });
  await swept;
  lab.blobs.stat = stat;
  await makeVideo(lab, 'first');
  await lab.catalog.jobs.complete(by, end);
  t.match(lab.view().replacement, { state: 'filling', bundle: first.name });
});

t.test('a job that finds its files while they are being removed is told so too', async (t) => {
  const { lab, first, standing } = await onAir(t);
  await lab.retake('second');
  standing.set((await lab.encode('second')).name, ['a', 'b']);
  await lab.catalog.review();
  await lab.retake('third');
  await lab.catalog.settled();
  const job = await lab.catalog.jobs.lease('encoder', { waitMs: 0 });
  const by = { jobId: job?.jobId ?? '', worker: 'encoder' };
  const end = { leaseId: job?.leaseId ?? '', bundle: first.name };
  const [begun, goesOn] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const [remove, stat] = [lab.blobs.remove.bind(lab.blobs), lab.blobs.stat.bind(lab.blobs)];
  lab.blobs.remove = async (key) => {
    begun.resolve(undefined);
    await goesOn.promise;
    await remove(key);
  };
  lab.clock.jumpWall(7 * hourMs);
  const swept = lab.catalog.sweep();
  await begun.promise;
  let found = 0;
  lab.blobs.stat = async (key) => {
    const entry = await stat(key);
    // The last of them: all were there.
    if (++found === first.files.length) setImmediate(() => goesOn.resolve(undefined));
    return entry;
  };
  await t.rejects(lab.catalog.jobs.complete(by, end), { code: 'BUNDLE_INVALID' });
  await swept;
  t.equal(lab.view().replacement?.bundle, undefined);
});

t.test('who plays a video of before goes on, though it was to come back and then did not', async (t) => {
  const { lab, first, standing } = await onAir(t);
  await lab.retake('second');
  const second = await lab.encode('second');
  standing.set(second.name, ['a', 'b']);
  await lab.catalog.review();
  standing.delete(first.name);
  await lab.retake('first again');
  await lab.encode('first');
  await lab.retake('third');
  t.same(lab.bundles(), [second.name, first.name], 'its sessions are not over');
  lab.clock.jumpWall(4.9 * hourMs);
  await lab.catalog.sweep();
  t.same(lab.bundles(), [second.name, first.name]);
  lab.clock.jumpWall(0.2 * hourMs);
  t.same(lab.bundles(), [second.name], 'nor are they held for longer than that');
});

t.test('a title is not made anew without bound', async (t) => {
  const { lab, standing } = await onAir(t);
  for (let count = 0; count < 10; count++) {
    const mark = 'x'.repeat(count + 20);
    t.match((await lab.retake(mark)).body, { results: [{ outcome: 'unchanged' }] });
    standing.set((await lab.encode(mark)).name, ['a', 'b']);
    await lab.catalog.review();
  }
  t.match((await lab.retake('once more')).body, { results: [{ code: 'OVERLOADED', detail: /tomorrow/ }] });
  lab.clock.jumpWall(7 * hourMs);
  await lab.catalog.sweep();
  t.match((await lab.retake('once more')).body, { results: [{ outcome: 'unchanged' }] });
});

t.test('an upload that a process died upon before a title was made anew of it is there yet', async (t) => {
  const { lab, first } = await onAir(t);
  const uploads = lab.catalog.uploads as Uploads;
  const { uploadId } = await uploads.create({ filename: 'film.mp4', sizeBytes: 4 });
  await uploads.append(uploadId, Readable.from([Buffer.from('film')]), { offsetBytes: 0 });
  await uploads.claim(uploadId, lab.id);
  const later = await lab.again();
  t.match(later.catalog.uploads.view(uploadId), { complete: true });
  t.match(later.view(), { state: 'live', bundle: first.name, replacement: undefined });
});

t.test('a withdrawal takes the captions of a new video with its source', async (t) => {
  const { lab } = await onAir(t);
  const captions = [{ path: join(t.testdirName, 'film.mp4'), language: 'de' }];
  await lab.retake('second', 'replaced', { captions });
  await lab.catalog.settled();
  const key = `sources/${lab.id}-captions-0`;
  t.ok(await lab.blobs.stat(key));
  await lab.catalog.withdraw(lab.id);
  await lab.catalog.settled();
  t.equal(await lab.blobs.stat(key), undefined);
  t.equal(await lab.blobs.stat(`sources/${lab.id}`), undefined);
});
