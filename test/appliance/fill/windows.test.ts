import t, { type Test } from 'tap';

import { FillHours } from '../../../appliance/fill/fill-hours.ts';
import { DiskSet } from '../../../appliance/store/disk-set.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { putFile, seededBytes, testFile, type TestFile } from '../../support/appliance/content.ts';
import { startSource } from '../../support/appliance/fill-source.ts';
import { startFilling, wanted } from '../../support/appliance/filling-box.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory, testDisk } from '../../support/appliance/serving-box.ts';

const mib = 2 ** 20;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const window = { startMinute: 2 * 60, endMinute: 14 * 60, timeZone: 'Europe/Berlin', jitterMinutes: 0 };
/** 20:00 in Berlin. */
const eveningMs = Date.parse('2026-01-15T19:00Z');

async function boxOf(test: Test) {
  const { disk } = await testDisk(await temporaryDirectory(test));
  test.teardown(() => disk.close());
  const clock = createManualClock({ nowMs: eveningMs });
  /** Sets the wall clock, and lets the box notice. */
  const jump = async (ms: number): Promise<void> => {
    clock.jumpWall(ms);
    await clock.advance(1500);
  };
  /** Waits while the clock runs. */
  const eventually = (condition: () => boolean): Promise<void> =>
    until(async () => {
      if (condition()) return true;
      await clock.advance(1000);
      return condition();
    });
  return { disk, clock, jump, eventually };
}

void t.test(
  'urgent files come at once, others in the window, which is caught up with when it was missed',
  async (test) => {
    const { disk, clock, jump, eventually } = await boxOf(test);
    const [film, news] = [testFile(seededBytes(3 * mib, 1)), testFile(seededBytes(2 * mib, 2))];
    const source = await startSource(test, { name: 'a', files: [film, news] });
    const { filler, wantBy } = startFilling(test, { store: disk, clock, ways: () => [source.way()] });
    const [ordinary, urgent] = wanted([film, news]);
    wantBy({ files: [ordinary!, { ...urgent!, urgent: true }], window });
    await eventually(() => disk.held.has(news.file));
    test.notOk(source.asked.includes(film.file));
    test.equal(filler.missingFiles, 1);
    test.same(filler.reasons(), [], 'waiting is nothing wrong');
    await jump(6 * hourMs);
    await eventually(() => disk.held.has(film.file));
    test.equal(filler.missingFiles, 0);
  },
);

void t.test('nothing that is held goes for what must still wait', async (test) => {
  const { disk } = await testDisk(await temporaryDirectory(test), { capacityBytes: 5 * mib });
  test.teardown(() => disk.close());
  const clock = createManualClock({ nowMs: eveningMs });
  const [old, film] = [testFile(seededBytes(3 * mib, 3)), testFile(seededBytes(4 * mib, 4))];
  const source = await startSource(test, { name: 'a', files: [old, film] });
  const { want, wantBy } = startFilling(test, { store: disk, clock, ways: () => [source.way()] });
  want(old);
  await until(() => disk.held.has(old.file));
  wantBy({ files: wanted([film]), window });
  await clock.advance(120_000);
  test.ok(disk.held.has(old.file), 'there is room enough until the window opens');
  clock.jumpWall(6 * hourMs);
  await until(async () => {
    await clock.advance(1000);
    return disk.held.has(film.file);
  });
  test.notOk(disk.held.has(old.file));
});

void t.test(
  'what is under way when the window closes ends with its chunk, and goes on in the next one',
  async (test) => {
    const { disk, clock, jump, eventually } = await boxOf(test);
    const film = testFile(seededBytes(12 * mib, 5));
    const source = await startSource(test, { name: 'a', files: [film] });
    const filling = startFilling(test, { store: disk, clock, ways: () => [source.way()], concurrency: 1 });
    const gate = Promise.withResolvers<void>();
    source.beforeSend = (sentBytes) => (sentBytes >= 2.5 * mib ? gate.promise : Promise.resolve());
    await jump(6 * hourMs);
    filling.wantBy({ files: wanted([film]), window });
    await eventually(() => filling.chunks.verified === 2);
    // The third chunk is half here.
    await jump(12 * hourMs);
    gate.resolve();
    await eventually(() => filling.chunks.verified === 3);
    await clock.advance(60_000);
    test.equal(filling.chunks.verified, 3);
    test.ok(disk.partial.has(film.file));
    test.same(filling.outcomes, [], 'nothing has failed');
    source.askedBytes = 0;
    await jump(12 * hourMs);
    await eventually(() => disk.held.has(film.file));
    test.equal(source.askedBytes, 9 * mib, 'what was here is not asked for again');
    test.equal(filling.outcomes[0]?.chunksVerified, 12);
  },
);

void t.test('a clock that jumps by a day, there and back, breaks nothing', async (test) => {
  const { disk, jump, clock, eventually } = await boxOf(test);
  const films = [6, 7, 8].map((seed) => testFile(seededBytes(6 * mib, seed)));
  const source = await startSource(test, { name: 'a', files: films });
  const { wantBy, filler, outcomes } = startFilling(test, { store: disk, clock, ways: () => [source.way()] });
  await jump(7 * hourMs);
  let pieces = 0;
  source.beforeSend = () => {
    if (pieces++ % 5 === 2) clock.jumpWall(pieces % 2 === 0 ? dayMs : -dayMs);
    return Promise.resolve();
  };
  wantBy({ files: wanted(films), window });
  await eventually(() => disk.held.size === 3);
  test.equal(filler.missingFiles, 0);
  test.ok(outcomes.every(({ startedAtMs, endedAtMs }) => startedAtMs <= endedAtMs));
  source.beforeSend = () => Promise.resolve();
  await jump(-dayMs);
  await jump(12 * hourMs);
  const late = testFile(seededBytes(mib, 9));
  wantBy({ files: wanted([...films, late]), window });
  await eventually(() => filler.missingFiles === 1);
  await clock.advance(60_000);
  test.equal(filler.missingFiles, 1, 'closed is closed');
});

void t.test(
  'an origin that is down for the whole window: told, and caught up with in the next one',
  async (test) => {
    const { disk, clock, jump, eventually } = await boxOf(test);
    const film = testFile(seededBytes(3 * mib, 10));
    const origin = await startSource(test, { name: 'origin', files: [film] });
    let isUp = false;
    const { wantBy, outcomes, filler } = startFilling(test, {
      store: disk,
      clock,
      // Nobody listens on the port of tcpmux.
      ways: () => [
        isUp ? origin.way('origin') : { ...origin.way('origin'), base: 'http://127.0.0.1:1/v1/token/' },
      ],
    });
    await jump(6 * hourMs);
    wantBy({ files: wanted([film]), window });
    await eventually(() => outcomes.length >= 2);
    test.ok(outcomes.every(({ outcome, code }) => outcome === 'failed' && code === 'FILL_SOURCE_FAILED'));
    test.same(filler.reasons(), ['FILL_SOURCE_FAILED']);
    await jump(12 * hourMs);
    isUp = true;
    await clock.advance(600_000);
    test.equal(origin.askedBytes, 0, 'not out of its hours');
    await jump(12 * hourMs);
    await eventually(() => disk.held.has(film.file));
    test.same(filler.reasons(), []);
  },
);

void t.test('boxes of a site begin together, those of others earlier or later', (test) => {
  const opensAt = (site: string): string => {
    const clock = createManualClock({ nowMs: eveningMs });
    const hours = new FillHours({ clock, log: createSilentLog() });
    hours.set({ window: { ...window, jitterMinutes: 120 }, site });
    while (!hours.areOpen) clock.jumpWall(60_000);
    return new Date(clock.nowMs()).toISOString();
  };
  test.equal(opensAt('isp-a'), opensAt('isp-a'));
  const sites = Array.from({ length: 20 }, (_, index) => opensAt(`isp-${index}`)).toSorted();
  test.ok(new Set(sites).size > 10, 'they are spread');
  test.ok(
    sites[0]! >= '2026-01-15T23:00' && sites.at(-1)! <= '2026-01-16T03:01',
    `${sites[0]} to ${sites.at(-1)}`,
  );
  test.end();
});

void t.test('a time zone that is not known here counts as UTC', async (test) => {
  const { disk, clock, jump, eventually } = await boxOf(test);
  const film = testFile(seededBytes(mib, 11));
  const source = await startSource(test, { name: 'a', files: [film] });
  const { wantBy } = startFilling(test, { store: disk, clock, ways: () => [source.way()] });
  // 02:30 in Berlin, 01:30 in UTC.
  await jump(6.5 * hourMs);
  wantBy({ files: wanted([film]), window: { ...window, timeZone: 'Europe/Atlantis' } });
  await clock.advance(60_000);
  test.equal(source.askedBytes, 0);
  await jump(0.5 * hourMs);
  await eventually(() => disk.held.has(film.file));
});

void t.test(
  'what was being watched on a disk that is lost is fetched at once, the rest of it in the window',
  async (test) => {
    const clock = createManualClock({ nowMs: eveningMs });
    const set = new DiskSet({ capacityBytes: undefined, clock, log: createSilentLog() });
    test.teardown(() => set.close());
    const paths = [await temporaryDirectory(test), await temporaryDirectory(test)];
    const disks = await Promise.all(
      paths.map(async (path, number) => (await testDisk(path, { number, clock })).disk),
    );
    for (const disk of disks) set.join(disk, { isDraining: false });
    const films = [1, 2, 3, 4].map((seed) => testFile(seededBytes(mib + seed, seed)));
    const [watched, quiet, watchedBefore, other] = films as [TestFile, TestFile, TestFile, TestFile];
    for (const film of [watched, quiet, watchedBefore]) await putFile(disks[0]!, film);
    await putFile(disks[1]!, other);
    const source = await startSource(test, { name: 'a', files: films });
    const { filler, wantBy } = startFilling(test, { store: set, clock, ways: () => [source.way()] });
    wantBy({ files: wanted(films), window });
    set.noteSent(watchedBefore.file);
    await clock.advance(dayMs);
    set.noteSent(watched.file);
    await clock.advance(hourMs);
    set.leave(0);
    await disks[0]!.close();
    await until(async () => {
      await clock.advance(1000);
      return set.held.has(watched.file);
    });
    test.equal(filler.missingFiles, 2);
    test.same(source.asked, [watched.file], 'only that one');
    clock.jumpWall(6 * hourMs);
    await until(async () => {
      await clock.advance(1500);
      return set.held.size === 4;
    });
    test.equal(
      source.asked.toSorted().join(),
      [watched, quiet, watchedBefore]
        .map(({ file }) => file)
        .toSorted()
        .join(),
    );
  },
);
