import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { DiskSet } from '../../../appliance/store/disk-set.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { putFile, seededBytes, testFile, type TestFile } from '../../support/appliance/content.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory, testDisk } from '../../support/appliance/serving-box.ts';

const mib = 1024 * 1024;

async function twoDisks(test: Test, capacityBytes: number | undefined = undefined) {
  const set = new DiskSet({ capacityBytes, clock: createSystemClock(), log: createSilentLog() });
  const roots = [await temporaryDirectory(test), await temporaryDirectory(test)];
  const [first, second] = await Promise.all(
    roots.map(async (root, number) => (await testDisk(root, { number, capacityBytes: 40 * mib })).disk),
  );
  test.teardown(() => set.close());
  return { set, roots, first: first!, second: second! };
}

async function bytesOf(set: DiskSet, { file }: TestFile): Promise<Buffer> {
  const content = await set.open(file, 'content');
  const parts: Buffer[] = [];
  for (let at = 0; at < content!.sizeBytes;) {
    const piece = await content!.read(at, content!.sizeBytes - at);
    parts.push(Buffer.from(piece.bytes));
    at += piece.bytes.length;
    piece.release();
  }
  content!.release();
  return Buffer.concat(parts);
}

void t.test(
  'several disks are one: files are spread, found, told with their disk, and removed',
  async (test) => {
    const { set, first, second } = await twoDisks(test);
    const told: string[] = [];
    set.onChange(({ kind, file }) => void told.push(`${kind} ${set.held.get(file)?.disk ?? '-'}`));
    set.join(first, { isDraining: false });
    set.join(second, { isDraining: false });
    const files = [1, 2, 3, 4].map((seed) => testFile(seededBytes(2 * mib + seed, seed)));
    for (const file of files) await putFile(set, file);
    test.same(told, ['added 0', 'added 1', 'added 0', 'added 1']);
    test.equal(first.held.size, 2);
    for (const file of files) test.ok((await bytesOf(set, file)).equals(file.bytes));
    const content = await set.open(files[1]!.file, 'content');
    test.equal(content?.whole?.disk, 1, 'each disk has reading threads of its own');
    test.ok(set.inUse(files[1]!.file));
    content?.release();
    const { capacityBytes, usedBytes } = await set.usage();
    test.equal(capacityBytes, 80 * mib);
    test.ok(usedBytes > 8 * mib);
    await set.remove(files[0]!.file);
    test.equal(told.at(-1), 'removed -');
    test.equal(set.held.size, 3);
  },
);

void t.test(
  'a download goes where the plan made room, or where it fits; DISK_FULL before a byte is written',
  async (test) => {
    const { set, roots, first, second } = await twoDisks(test);
    set.join(first, { isDraining: false });
    set.join(second, { isDraining: false });
    const file = testFile(seededBytes(30 * mib, 1));
    await set.begin(file.file, file.descriptor, 1);
    test.equal(set.begunOn(file.file), 1);
    const other = testFile(seededBytes(30 * mib, 2));
    await test.rejects(second.begin(other.file, other.descriptor), { code: 'DISK_FULL' });
    test.same((await readdir(join(roots[1]!, 'partial'))).length, 3, 'of the first download');
    const huge = testFile(seededBytes(41 * mib, 3));
    await test.rejects(set.begin(huge.file, huge.descriptor), { code: 'DISK_FULL' });
    test.notOk(set.partial.has(huge.file));
  },
);

void t.test('a bound for all disks together is shared out among them', async (test) => {
  const { set, first, second } = await twoDisks(test, 8 * mib);
  set.join(first, { isDraining: false });
  set.join(second, { isDraining: false });
  test.same(
    (await set.rooms()).map(({ capacityBytes }) => capacityBytes),
    [4 * mib, 4 * mib],
  );
});

void t.test('the room of a file system is counted once, however many disks are on it', async (test) => {
  const set = new DiskSet({ capacityBytes: undefined, clock: createSystemClock(), log: createSilentLog() });
  const devices = ['1', '1', '2', '1'];
  const disks = await Promise.all(
    devices.map(async (device, number) => {
      const { disk } = await testDisk(await temporaryDirectory(test), { number, device });
      return disk;
    }),
  );
  test.teardown(() => set.close());
  disks.forEach((disk, number) => {
    set.join(disk, { isDraining: number === 3 });
  });
  const parts = async (): Promise<number[]> => {
    const whole = (await disks[2]!.usage()).capacityBytes;
    return (await set.rooms()).map(({ capacityBytes }) => Math.round((10 * capacityBytes) / whole) / 10);
  };
  test.same(await parts(), [0.5, 0.5, 1], 'one that is emptied takes nothing');
  set.setDraining(3, false);
  test.same(await parts(), [0.3, 0.3, 1, 0.3]);
  set.leave(0);
  set.leave(1);
  test.same(await parts(), [1, 1]);
  await Promise.all([disks[0]!.close(), disks[1]!.close()]);
});

void t.test(
  'a disk that leaves takes its files and downloads out of the holdings, and only those',
  async (test) => {
    const { set, first, second } = await twoDisks(test);
    set.join(first, { isDraining: false });
    set.join(second, { isDraining: false });
    const files = [1, 2, 3].map((seed) => testFile(seededBytes(mib, seed)));
    for (const file of files) await putFile(set, file);
    const late = testFile(seededBytes(2 * mib, 9));
    const partial = await set.begin(late.file, late.descriptor, 0);
    const removed: string[] = [];
    set.onChange(({ kind, file }) => {
      if (kind === 'removed') removed.push(file);
    });
    set.leave(0);
    test.same(removed.toSorted(), [...first.held.keys()].toSorted());
    test.same([...set.held.keys()], [...second.held.keys()]);
    test.same([...set.roots.keys()], [1]);
    test.equal(set.partial.size, 0);
    await first.close();
    await test.rejects(partial.put(0, late.bytes.subarray(0, mib)), { code: 'DISK_GONE' });
    await test.rejects(set.publish(partial), { code: 'DISK_GONE' });
  },
);

void t.test('what two disks hold is kept once', async (test) => {
  const { set, first, second } = await twoDisks(test);
  const file = testFile(seededBytes(mib, 1));
  await putFile(first, file);
  await putFile(second, file);
  set.join(first, { isDraining: false });
  set.join(second, { isDraining: false });
  await until(() => second.held.size === 0);
  test.equal(set.held.get(file.file)?.disk, 0);
  test.ok((await bytesOf(set, file)).equals(file.bytes));
});

void t.test(
  'a disk that is emptied takes nothing new; its files move and are held all the while',
  async (test) => {
    const { set, roots, first, second } = await twoDisks(test);
    const files = [1, 2].map((seed) => testFile(seededBytes(3 * mib + seed, seed)));
    for (const file of files) await putFile(first, file);
    set.join(first, { isDraining: true });
    set.join(second, { isDraining: false });
    const removed: string[] = [];
    set.onChange(({ kind, file }) => {
      if (kind === 'removed') removed.push(file);
    });
    test.same(
      (await set.rooms()).map(({ disk }) => disk),
      [1],
    );
    for (const { file } of files) set.move(file, 1);
    await until(() => first.held.size === 0);
    test.same(removed, []);
    for (const file of files) {
      test.equal(set.held.get(file.file)?.disk, 1);
      test.ok((await bytesOf(set, file)).equals(file.bytes));
    }
    await until(async () => {
      const left = await readdir(join(roots[0]!, 'files'), { recursive: true });
      return !left.some((name) => name.length > 3);
    });
  },
);
