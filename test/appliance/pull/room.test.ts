import t, { type Test } from 'tap';

import type { FillWay } from '../../../appliance/core/choose-way.ts';
import { createSystemClock, type Clock } from '../../../common/runtime/clock.ts';
import { putFile, seededBytes, testFile, type TestFile } from '../../support/appliance/content.ts';
import { createFastClock } from '../../support/appliance/fast-clock.ts';
import { startSource } from '../../support/appliance/fill-source.ts';
import { startFilling, wanted } from '../../support/appliance/filling-box.ts';
import { filmOf, mib, startPull, startPullingBox } from '../../support/appliance/pulling-box.ts';
import { rawGet, until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory, testDisk } from '../../support/appliance/serving-box.ts';
import { mountSmallDisk } from '../../support/small-disk.ts';

interface Film {
  film: TestFile;
  bundle: TestFile;
}

async function boxWithRoom(
  test: Test,
  films: readonly Film[],
  options: { capacityBytes: number; clock?: Clock },
) {
  const { capacityBytes, ...more } = options;
  const files = films.flatMap(({ film, bundle }) => [film, bundle]);
  const origin = await startSource(test, { name: 'origin', files });
  const box = await startPullingBox(test, {
    kind: 'native',
    ...more,
    disk: { capacityBytes },
    ways: () => [origin.way('origin')],
  });
  /** A viewer of a session of its own asks for the first bytes. */
  const ask = async ({ film, bundle }: Film) =>
    rawGet(box.port, `/v1/${box.viewer(bundle)}/${film.file}.mp4`, { headers: { range: 'bytes=0-9' } });
  return { ...box, origin, ask };
}

void t.test(
  'what the manifest wants keeps its room; who asks for more is sent to who has it',
  async (test) => {
    const planned = filmOf(4 * mib, 1);
    const asked = filmOf(4 * mib, 2);
    const box = await boxWithRoom(test, [planned, asked], { capacityBytes: 9 * mib });
    box.pull.room.setPlanned(wanted([planned.film, planned.bundle, testFile(seededBytes(2 * mib, 3))]));
    for (const _session of [1, 2]) {
      const answer = await box.ask(asked);
      test.equal(answer.status, 307, 'nor for a second one: there is nothing that may go');
      test.match(
        answer.headers['location'],
        new RegExp(`^http://127.0.0.1:\\d+/v1/.*/${asked.film.file}\\.mp4$`),
      );
    }
    test.same(box.origin.asked, [asked.bundle.file], 'its bundle is small');
    const own = await box.ask(planned);
    test.equal(own.status, 206, 'what is planned has its room, whoever asks for it first');
    box.pull.room.setPlanned([]);
    test.equal((await box.ask(asked)).status, 206);
  },
);

void t.test('one that is asked for once drives nothing out; a second session makes room', async (test) => {
  const old = filmOf(4 * mib, 4);
  const fresh = filmOf(4 * mib, 5);
  const box = await boxWithRoom(test, [fresh], { capacityBytes: 6 * mib });
  await putFile(box.disk, old.film);
  test.equal((await box.ask(fresh)).status, 307);
  test.ok(box.disk.held.has(old.film.file));
  test.equal((await box.ask(fresh)).status, 206);
  test.notOk(box.disk.held.has(old.film.file), 'nobody asked for it for longer');
});

void t.test('one viewer who asks again and again is one', async (test) => {
  const old = filmOf(4 * mib, 6);
  const fresh = filmOf(4 * mib, 7);
  const box = await boxWithRoom(test, [fresh], { capacityBytes: 6 * mib });
  await putFile(box.disk, old.film);
  const path = `/v1/${box.viewer(fresh.bundle)}/${fresh.film.file}.mp4`;
  for (const _again of [1, 2, 3]) test.equal((await rawGet(box.port, path)).status, 307);
  test.ok(box.disk.held.has(old.film.file));
});

void t.test('a manifest that grows ends what is pulled, and fill gets the room', async (test) => {
  const pulled = filmOf(4 * mib, 8);
  const planned = testFile(seededBytes(4 * mib, 9));
  const box = await boxWithRoom(test, [pulled], { capacityBytes: 6 * mib });
  test.equal((await box.ask(pulled)).status, 206);
  box.pull.room.setPlanned(wanted([planned]));
  const more = await rawGet(box.port, `/v1/${box.viewer(pulled.bundle)}/${pulled.film.file}.mp4`, {
    headers: { range: `bytes=${2 * mib}-${2 * mib + 9}` },
  });
  test.equal(more.status, 429, 'more of it does not come');
  test.notOk(box.disk.partial.has(pulled.film.file));
  test.equal((await box.ask(pulled)).status, 307);
});

void t.test(
  'what was pulled and nobody reads goes when fill needs its room, and not before',
  async (test) => {
    const pulled = filmOf(4 * mib, 16);
    const planned = testFile(seededBytes(4 * mib, 17));
    const clock = createFastClock(20);
    const box = await boxWithRoom(test, [pulled], { capacityBytes: 6 * mib, clock });
    test.equal((await box.ask(pulled)).status, 206);
    const idleFromMs = clock.monotonicMs() + 10_000;
    await until(() => clock.monotonicMs() > idleFromMs);
    const source = await startSource(test, { name: 'peer', files: [planned] });
    let ways: FillWay[] = [];
    const { store, room } = box.pull;
    const fill = startFilling(test, { store, room, clock, ways: () => ways });
    fill.want(planned);
    await until(() => fill.outcomes.length > 0);
    test.match(fill.outcomes, [{ code: 'FILL_NO_SOURCE' }]);
    test.ok(box.disk.partial.has(pulled.film.file), 'there is nothing to make room for yet');
    ways = [source.way()];
    await until(() => box.disk.held.has(planned.file));
    test.notOk(box.disk.partial.has(pulled.film.file));
  },
);

void t.test(
  'a disk that turns out to be full goes on serving, and sends on what it cannot take',
  async (test) => {
    const small = await mountSmallDisk(12 * mib);
    if (typeof small === 'string') {
      test.pass(`skipped: ${small}`, { skip: small });
      return;
    }
    test.teardown(() => small.unmount());
    const held = filmOf(mib, 10);
    const asked = filmOf(6 * mib, 11);
    const origin = await startSource(test, { name: 'origin', files: [asked.film, asked.bundle] });
    const { path } = small;
    const box = await startPullingBox(test, { kind: 'native', path, ways: () => [origin.way('origin')] });
    for (const file of [held.film, held.bundle, asked.bundle]) await putFile(box.disk, file);
    const target = `/v1/${box.viewer(asked.bundle)}/${asked.film.file}.mp4`;
    test.equal((await rawGet(box.port, target, { headers: { range: 'bytes=0-9' } })).status, 206);
    await small.fill();
    const range = { range: `bytes=${2 * mib}-${2 * mib + 9}` };
    test.equal((await rawGet(box.port, target, { headers: range })).status, 429);
    test.equal((await rawGet(box.port, target, { headers: range })).status, 307);
    test.same([...box.disk.partial], [], 'nothing half-written stays');
    const good = await rawGet(box.port, `/v1/${box.viewer(held.bundle)}/${held.film.file}.mp4`);
    test.ok(good.body.equals(held.film.bytes));
    await box.pull.stop();
    await box.disk.close();
  },
);

void t.test('fill and viewers work on one download: nothing is fetched twice', async (test) => {
  const { film, bundle } = filmOf(6 * mib, 12);
  const source = await startSource(test, { name: 'origin', files: [film, bundle] });
  const box = await startPullingBox(test, { kind: 'native', ways: () => [source.way('origin')] });
  const range = { range: `bytes=${2 * mib}-${3 * mib - 1}` };
  const path = `/v1/${box.viewer(bundle)}/${film.file}.mp4`;
  test.equal((await rawGet(box.port, path, { headers: range })).body.length, mib);
  const fill = startFilling(test, {
    store: box.pull.store,
    room: box.pull.room,
    clock: createSystemClock(),
    ways: () => [source.way('origin')],
  });
  box.pull.room.setPlanned(wanted([film, bundle]));
  fill.want(film, bundle);
  await until(() => box.disk.held.has(film.file));
  test.equal(source.askedBytes, film.bytes.length + bundle.bytes.length);
  await until(() => fill.outcomes.length === 1);
  test.match(fill.outcomes[0], { outcome: 'held', file: film.file });
  test.ok((await rawGet(box.port, path)).body.equals(film.bytes));
});

void t.test(
  'what fill drops is kept for viewers, and what they complete fill does not fetch',
  async (test) => {
    const { film, bundle } = filmOf(3 * mib, 13);
    const source = await startSource(test, { name: 'origin', files: [film, bundle] });
    const box = await startPullingBox(test, { kind: 'native', ways: () => [source.way('origin')] });
    const path = `/v1/${box.viewer(bundle)}/${film.file}.mp4`;
    await rawGet(box.port, path, { headers: { range: 'bytes=0-9' } });
    const fill = startFilling(test, {
      ...{ store: box.pull.store, room: box.pull.room, clock: createSystemClock(), ways: () => [] },
    });
    box.pull.room.setPlanned(wanted([film, bundle]));
    fill.want(film, bundle);
    await until(() => fill.outcomes.length > 0);
    box.pull.room.setPlanned([]);
    fill.want();
    await until(() => fill.filler.missingFiles === 0);
    test.ok(box.disk.partial.has(film.file), 'it is still of use');
    box.pull.room.setPlanned(wanted([film, bundle]));
    fill.want(film, bundle);
    await until(() => fill.filler.missingFiles === 1);
    test.ok((await rawGet(box.port, path)).body.equals(film.bytes));
    await until(() => box.disk.held.has(film.file) && fill.filler.missingFiles === 0);
    test.equal(source.askedBytes, film.bytes.length + bundle.bytes.length);
  },
);

void t.test('what an earlier process left goes on, and counts as taken room', async (test) => {
  const { film, bundle } = filmOf(4 * mib, 14);
  const source = await startSource(test, { name: 'origin', files: [film, bundle] });
  const directory = await temporaryDirectory(test);
  const before = await testDisk(directory);
  const partial = await before.disk.begin(film.file, film.descriptor);
  await partial.put(1, film.bytes.subarray(mib, 2 * mib));
  await before.disk.close();
  const { disk } = await testDisk(directory);
  test.teardown(() => disk.close());
  const { puller } = startPull(test, disk, { ways: () => [source.way('origin')] });
  await until(() => puller.count === 1);
  const answer = await puller.open({ file: film.file, ext: 'mp4', session: 'a' });
  if (answer.kind !== 'partial') throw new Error(answer.kind);
  await puller.fetch({ file: film.file, first: 1, last: 1 });
  test.equal(source.askedBytes, 0, 'it is here');
  await puller.fetch({ file: film.file, first: 0, last: 3 });
  await puller.fetch({ file: film.file, first: 2, last: 3 });
  await until(() => disk.held.has(film.file));
  test.same(source.ranges.toSorted(), [`${2 * mib}-${4 * mib - 1}`, `0-${mib - 1}`].toSorted());
});

void t.test('what an earlier process fetched to its end and had no time to hold is held', async (test) => {
  const { film } = filmOf(mib + 1, 18);
  const directory = await temporaryDirectory(test);
  const before = await testDisk(directory);
  const partial = await before.disk.begin(film.file, film.descriptor);
  for (const index of [0, 1]) await partial.put(index, film.bytes.subarray(index * mib, (index + 1) * mib));
  await before.disk.close();
  const { disk } = await testDisk(directory);
  test.teardown(() => disk.close());
  startPull(test, disk, { ways: () => [] });
  await until(() => disk.held.has(film.file));
});

void t.test('a file as many bytes of which have left as it has is completed', async (test) => {
  const { film, bundle } = filmOf(12 * mib, 15);
  const source = await startSource(test, { name: 'origin', files: [film, bundle] });
  const box = await startPullingBox(test, { kind: 'native', ways: () => [source.way('origin')] });
  const path = `/v1/${box.viewer(bundle)}/${film.file}.mp4`;
  const half = { range: `bytes=0-${6 * mib - 1}` };
  await rawGet(box.port, path, { headers: half });
  // Told by whoever serves, as the engine's records are.
  box.pull.puller.noteSent(film.file, 6 * mib);
  test.notOk(box.disk.held.has(film.file));
  await rawGet(box.port, path, { headers: half });
  box.pull.puller.noteSent(film.file, 6 * mib);
  await until(() => box.disk.held.has(film.file));
  test.equal(source.askedBytes, film.bytes.length + bundle.bytes.length);
});
