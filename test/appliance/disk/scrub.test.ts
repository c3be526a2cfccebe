import { link, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { earnScrub, scrubWaitMs } from '../../../appliance/core/scrub-pace.ts';
import { Scrubber } from '../../../appliance/disk/scrubber.ts';
import { DiskIndex } from '../../../appliance/store/disk-index.ts';
import { diskLayout } from '../../../appliance/store/disk-layout.ts';
import { DiskSet } from '../../../appliance/store/disk-set.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { putFile, seededBytes, testFile, type TestFile } from '../../support/appliance/content.ts';
import { createFastClock } from '../../support/appliance/fast-clock.ts';
import { startSource } from '../../support/appliance/fill-source.ts';
import { startFilling } from '../../support/appliance/filling-box.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory, testDisk } from '../../support/appliance/serving-box.ts';

const mib = 1024 * 1024;
const monthMs = 30 * 86_400_000;

async function scrubbedDisk(test: Test, files: readonly TestFile[]) {
  const path = await temporaryDirectory(test);
  const { disk } = await testDisk(path);
  const set = new DiskSet({ capacityBytes: undefined, clock: createSystemClock(), log: createSilentLog() });
  set.join(disk, { isDraining: false });
  test.teardown(() => set.close());
  for (const file of files) await putFile(set, file);
  const counts: Record<string, number> = {};
  const scrubber = new Scrubber({
    ...{ store: set, path: join(path, 'scrub.json'), budgetBytes: undefined, isBusy: () => false },
    records: {
      chunk: (why, outcome) => void (counts[`${why} ${outcome}`] = (counts[`${why} ${outcome}`] ?? 0) + 1),
    },
    // A month in a second.
    ...{ clock: createFastClock(monthMs / 1000), chance: createSeededChance(1), log: createSilentLog() },
  });
  const end = new AbortController();
  const start = (): void => {
    const done = scrubber.open().then(() => scrubber.run(end.signal));
    test.teardown(() => {
      end.abort();
      return done;
    });
  };
  return { path, set, scrubber, counts, start, stop: () => end.abort() };
}

/** Turns a bit over, as a disk does of its own accord. */
async function rot(root: string, { file }: TestFile, positionBytes: number): Promise<void> {
  const handle = await open(diskLayout(root).content(file), 'r+');
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, positionBytes);
  buffer[0]! ^= 1;
  await handle.write(buffer, 0, 1, positionBytes);
  await handle.sync();
  await handle.close();
}

void t.test('every chunk is read once in 30 days, or as much of it as the budget allows', (test) => {
  const held = { heldBytes: 3000 * mib, budgetBytes: undefined };
  const start = { bytes: 0, atMs: 0 };
  test.equal(scrubWaitMs(start, { bytes: mib, ...held }), monthMs / 3000);
  test.equal(scrubWaitMs(start, { bytes: mib, ...held, budgetBytes: 300 * mib }), monthMs / 300);
  test.equal(scrubWaitMs(start, { bytes: mib, ...held, budgetBytes: 0 }), Infinity);
  test.equal(earnScrub(start, { atMs: monthMs / 3000, ...held }).bytes, mib);
  test.equal(
    earnScrub(start, { atMs: monthMs, ...held }).bytes,
    64 * mib,
    'a pause is not caught up with at once',
  );
  test.equal(scrubWaitMs({ bytes: mib, atMs: 0 }, { bytes: mib, ...held }), 0);
  test.end();
});

void t.test('a chunk that has rotted is found, fetched again alone, verified and put back', async (test) => {
  const films = [1, 2, 3].map((seed) => testFile(seededBytes(3 * mib + seed, seed)));
  const [, film] = films as [TestFile, TestFile, TestFile];
  const { path, set, counts, start } = await scrubbedDisk(test, films);
  const source = await startSource(test, { name: 'peer', files: films });
  const { want, outcomes } = startFilling(test, { store: set, ways: () => [source.way()] });
  want(...films);
  await rot(path, film, mib + 7);
  const told: string[] = [];
  set.onChange(({ kind, file }) => void told.push(`${kind} ${file}`));
  start();
  await until(() => told.length === 2, 20_000);
  test.same(told, [`removed ${film.file}`, `added ${film.file}`]);
  test.equal(source.askedBytes, mib, 'one chunk');
  test.equal(outcomes.find(({ file }) => file === film.file)?.resumedBytes, 2 * mib + 2);
  test.ok((await readFile(diskLayout(path).content(film.file))).equals(film.bytes));
  test.equal(counts['scrub bad'], 1);
  await until(() => (counts['scrub good'] ?? 0) >= 12, 20_000);
  test.equal(counts['scrub bad'], 1);
});

void t.test('a chunk list that has rotted costs its file, which is fetched again', async (test) => {
  const film = testFile(seededBytes(2 * mib, 1));
  const { path, set, start } = await scrubbedDisk(test, [film]);
  const source = await startSource(test, { name: 'peer', files: [film] });
  const { want } = startFilling(test, { store: set, ways: () => [source.way()] });
  want(film);
  const handle = await open(diskLayout(path).descriptor(film.file), 'r+');
  await handle.write(Buffer.from('x'), 0, 1, 40);
  await handle.close();
  start();
  await until(() => !set.held.has(film.file), 20_000);
  await until(() => set.held.has(film.file), 20_000);
  test.equal(source.askedBytes, 2 * mib);
  test.ok((await readFile(diskLayout(path).descriptor(film.file))).equals(film.descriptor));
});

void t.test('of what is served, a chunk is looked at now and then', async (test) => {
  const film = testFile(seededBytes(mib - 5, 1));
  const { path, set, scrubber, counts } = await scrubbedDisk(test, [film]);
  const end = new AbortController();
  await rot(path, film, 0);
  for (let gib = 0; gib < 3; gib++) scrubber.noteSent(film.file, 2 ** 30);
  const done = scrubber.run(end.signal);
  await until(() => counts['sample bad'] === 1);
  test.notOk(set.held.has(film.file));
  end.abort();
  await done;
});

void t.test('killed while a bad file is sent back, a start believes the download', async (test) => {
  const film = testFile(seededBytes(2 * mib, 1));
  const { path, set } = await scrubbedDisk(test, [film]);
  await rot(path, film, 5);
  test.equal(await set.check(film.file, 0, 'disk'), 'bad');
  test.equal(await set.check(film.file, 1, 'disk'), 'gone');
  test.ok(set.partial.has(film.file));
  const layout = diskLayout(path);
  await until(async () => (await readdir(layout.folder(film.file))).length === 0);
  test.equal((await readdir(layout.partialPath)).length, 3);
  await set.close();
  // As if the old names had not been removed yet.
  const index = await DiskIndex.open(join(path, 'index.sqlite'), () =>
    Promise.reject(new Error('it is there')),
  );
  index.change(film.file, film.bytes.length);
  index.close();
  await link(layout.partial(film.file).content, layout.content(film.file));
  await link(layout.partial(film.file).descriptor, layout.descriptor(film.file));
  const again = await testDisk(path);
  test.notOk(again.disk.held.has(film.file));
  test.same([...again.disk.partial], [film.file]);
  const partial = await again.disk.resume(film.file);
  test.equal(partial?.resumedBytes, mib);
  await partial?.put(0, film.bytes.subarray(0, mib));
  await again.disk.publish(partial!);
  test.equal(await again.disk.check(film.file, 0, 'disk'), 'good');
  await again.disk.close();
});

void t.test('how far the scrub is outlasts a restart', async (test) => {
  const films = [1, 2].map((seed) => testFile(seededBytes(2 * mib, seed)));
  const { path, counts, start, stop } = await scrubbedDisk(test, films);
  start();
  await until(() => (counts['scrub good'] ?? 0) >= 1, 20_000);
  stop();
  await until(async () => (await readdir(path)).includes('scrub.json'));
  test.match(JSON.parse(await readFile(join(path, 'scrub.json'), 'utf8')), {
    file: /^[0-9a-f]{64}$/,
    chunk: Number,
  });
});
