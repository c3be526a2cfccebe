import { join } from 'node:path';
import t, { type Test } from 'tap';

import type { PolicyName } from '../../../appliance/core/eviction/policy.ts';
import { fileCostBytes } from '../../../appliance/store/disk-layout.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { putFile, seededBytes, testFile, type TestFile } from '../../support/appliance/content.ts';
import { createFastClock } from '../../support/appliance/fast-clock.ts';
import { startSource } from '../../support/appliance/fill-source.ts';
import { startFilling, wanted } from '../../support/appliance/filling-box.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { layFiles } from '../../support/appliance/lay-files.ts';
import { temporaryDirectory, testDisk } from '../../support/appliance/serving-box.ts';
import { testRoom } from '../../support/appliance/test-room.ts';

const mib = 1024 * 1024;
const clock = createSystemClock();
const films = [1, 2, 3, 4].map((seed) => testFile(seededBytes(2 * mib, 60 + seed)));
const [a, b, c, d] = films as [TestFile, TestFile, TestFile, TestFile];

async function fullDisk(test: Test, { path, policy }: { path?: string; policy?: PolicyName } = {}) {
  const directory = path ?? (await temporaryDirectory(test));
  const { disk } = await testDisk(directory, { capacityBytes: 9 * mib });
  test.teardown(() => disk.close());
  const options = { clock, path: join(directory, 'asked.json'), ...(policy !== undefined && { policy }) };
  const room = testRoom(disk, options);
  await room.open();
  const [on] = await disk.rooms();
  const costBytes = disk.costBytes(2 * mib);
  /** Room for that many films is made. */
  const make = (count: number) =>
    room.forPlanned({ disk: on?.disk, costBytes: count * costBytes }, () => Promise.resolve());
  const held = (): string => ['a', 'b', 'c', 'd'].filter((_, at) => disk.held.has(films[at]!.file)).join('');
  return { disk, room, make, held, directory };
}

void t.test(
  'of what no manifest names the policy says what goes, and no more goes than is needed',
  async (test) => {
    for (const [policy, order] of [
      ['lru', ['acd', 'ad', 'a']],
      ['s3fifo', ['acd', 'ad', 'a']],
      ['gdsf', ['acd', 'ad', 'a']],
    ] as const) {
      const { disk, room, make, held } = await fullDisk(test, { policy });
      for (const film of films) await putFile(disk, film);
      // As many bytes as it has are a viewing.
      for (const _viewing of [1, 2, 3]) room.noteSent(a.file, 2 * mib);
      test.equal(held(), 'abcd');
      const left: string[] = [];
      for (const count of [1, 2, 3]) {
        await make(count);
        left.push(held());
      }
      test.same(left, order, policy);
      await make(5);
      test.equal(held(), 'a', 'there cannot be enough, so nothing goes in vain');
    }
  },
);

void t.test('what the manifest names stays, and so does what is read', async (test) => {
  const { disk, room, make, held } = await fullDisk(test);
  for (const film of films) await putFile(disk, film);
  room.setPlanned(wanted([a]));
  const reader = await disk.open(b.file, 'content');
  await make(1);
  test.equal(held(), 'abd');
  await make(3);
  test.equal(held(), 'abd', 'three cannot be had');
  await make(2);
  test.equal(held(), 'ab');
  reader?.release();
  room.setPlanned([]);
  await make(4);
  test.equal(held(), '');
});

void t.test('the next process knows what was asked for', async (test) => {
  const before = await fullDisk(test, { policy: 'lru' });
  for (const film of films) await putFile(before.disk, film);
  for (const film of [d, c, a]) before.room.noteSent(film.file, 2 * mib);
  const end = new AbortController();
  const running = before.room.run(end.signal);
  end.abort();
  await running;
  await before.disk.close();
  const after = await fullDisk(test, { path: before.directory, policy: 'lru' });
  const left: string[] = [];
  for (const count of [1, 2, 3]) {
    await after.make(count);
    left.push(after.held());
  }
  test.same(left, ['acd', 'ac', 'a'], 'b was never asked for, then d, then c');
});

void t.test(
  'of very many files that are there at the start one that is viewed at once goes last',
  async (test) => {
    const directory = await temporaryDirectory(test);
    const many = Array.from({ length: 2500 }, (_, number) => testFile(Buffer.from(`file ${number}`)));
    await layFiles(directory, many);
    const costBytes = fileCostBytes(9);
    const { disk } = await testDisk(directory, { capacityBytes: many.length * costBytes });
    test.teardown(() => disk.close());
    const inOrder = [...disk.held.keys()];
    const room = testRoom(disk, { clock, policy: 'lru' });
    room.noteSent(inOrder[0]!, mib);
    room.setPlanned(wanted(many.filter(({ file }) => file === inOrder[1])));
    const [on] = await disk.rooms();
    await room.forPlanned({ disk: on?.disk, costBytes: 2 * costBytes }, () => Promise.resolve());
    const gone = inOrder.filter((file) => !disk.held.has(file));
    test.same(gone, inOrder.slice(2, 4), 'the first in the order is viewed, the second planned');
  },
);

void t.test('an order that cannot be read counts for nothing', async (test) => {
  const { disk, directory } = await fullDisk(test);
  await putFile(disk, a);
  const { writeFile } = await import('node:fs/promises');
  await writeFile(join(directory, 'asked.json'), '[{"file":');
  const room = testRoom(disk, { clock, path: join(directory, 'asked.json') });
  await room.open();
  room.noteSent(a.file, 1);
});

void t.test(
  'fill deletes when a file begins, one by one, and not before its source is known',
  async (test) => {
    const { disk } = await testDisk(await temporaryDirectory(test), { capacityBytes: 9 * mib });
    test.teardown(() => disk.close());
    for (const film of films) await putFile(disk, film);
    const fresh = [5, 6].map((seed) => testFile(seededBytes(2 * mib, 60 + seed)));
    const source = await startSource(test, { name: 'a', files: fresh });
    const gate = Promise.withResolvers<void>();
    source.beforeSend = () => gate.promise;
    let isKnown = false;
    const fill = startFilling(test, {
      ...{ store: disk, clock: createFastClock(20), concurrency: 1, stallMs: 10_000 },
      ways: () => (isKnown ? [source.way()] : []),
    });
    fill.want(fresh[0]!);
    await until(() => fill.outcomes.length > 0);
    test.equal(disk.held.size, 4, 'nobody has it, so nothing has to go yet');
    isKnown = true;
    await until(() => source.asked.length > 0);
    test.equal(disk.held.size, 3, 'room for the one that has begun');
    gate.resolve();
    fill.want(...fresh);
    await until(() => fresh.every(({ file }) => disk.held.has(file)));
    test.equal(disk.held.size, 4);
  },
);
