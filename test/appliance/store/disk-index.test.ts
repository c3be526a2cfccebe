import { cp, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { DiskIndex } from '../../../appliance/store/disk-index.ts';
import { diskLayout } from '../../../appliance/store/disk-layout.ts';
import { openSqliteFile } from '../../../common/adapters/shared/sqlite-file.ts';
import { putFile, seededBytes, testFile, type TestFile } from '../../support/appliance/content.ts';
import { temporaryDirectory, testDisk } from '../../support/appliance/serving-box.ts';
import { mountSmallDisk } from '../../support/small-disk.ts';

const mib = 1024 * 1024;

/** A disk that held these files and is let go of. */
async function diskWith(test: Test, files: readonly TestFile[]) {
  const path = await temporaryDirectory(test);
  const { disk } = await testDisk(path);
  for (const file of files) await putFile(disk, file);
  await disk.close();
  return { path, indexPath: join(path, 'index.sqlite'), layout: diskLayout(path) };
}

const notScanned = (): Promise<never> => Promise.reject(new Error('it was scanned'));

/** As a process leaves it that ends while it changes a file. */
async function interrupted(path: string, { file, bytes }: TestFile): Promise<void> {
  const index = await DiskIndex.open(path, notScanned);
  index.change(file, bytes.length);
  index.close();
}

async function heldAt(path: string): Promise<string[]> {
  const { disk } = await testDisk(path);
  const held = [...disk.held.keys()];
  await disk.close();
  return held;
}

void t.test(
  'an index that is lost, damaged or was never finished is made anew of the files',
  async (test) => {
    const files = [1, 2, 3].map((seed) => testFile(seededBytes(1000 * seed, seed)));
    const { path, indexPath } = await diskWith(test, files);
    const names = files.map(({ file }) => file).toSorted();
    await rm(indexPath);
    test.same((await heldAt(path)).toSorted(), names, 'lost');
    const handle = await open(indexPath, 'r+');
    const { size } = await handle.stat();
    await handle.write(Buffer.alloc(size - 100, 0xa5), 0, size - 100, 100);
    await handle.close();
    test.same((await heldAt(path)).toSorted(), names, 'damaged');
    const file = await openSqliteFile(indexPath);
    file.exec('DELETE FROM file; PRAGMA user_version = 0');
    file.close();
    test.same((await heldAt(path)).toSorted(), names, 'not finished');
    const handle2 = await open(indexPath, 'w');
    await handle2.write('not a database, for long enough to be looked at as one '.repeat(100));
    await handle2.close();
    test.same((await heldAt(path)).toSorted(), names, 'something else');
  },
);

void t.test('an index of a newer version, or that another one has open, is refused', async (test) => {
  const { path, indexPath } = await diskWith(test, []);
  const first = await testDisk(path);
  await test.rejects(testDisk(path), { code: 'STORE_LOCKED' });
  await first.disk.close();
  const file = await openSqliteFile(indexPath);
  file.pragma('user_version = 2');
  file.close();
  await test.rejects(testDisk(path), { code: 'STORE_NEWER', detail: /index\.sqlite has format 2.*upgrade/ });
});

void t.test('what was being published when the process ended is held, or a download still', async (test) => {
  const [early, late] = [1, 2].map((seed) => testFile(seededBytes(mib + seed, seed)));
  const { path, indexPath, layout } = await diskWith(test, []);
  const { disk } = await testDisk(path);
  for (const { file, descriptor, bytes } of [early!, late!]) {
    const partial = await disk.begin(file, descriptor);
    await partial.put(0, bytes.subarray(0, mib));
    await partial.put(1, bytes.subarray(mib));
  }
  await disk.close();
  // The one had not been renamed yet, the other had.
  await interrupted(indexPath, early!);
  await interrupted(indexPath, late!);
  await rename(layout.partial(late!.file).descriptor, layout.descriptor(late!.file));
  await rename(layout.partial(late!.file).content, layout.content(late!.file));
  const again = await testDisk(path);
  test.same([...again.disk.held.keys()], [late!.file]);
  test.same([...again.disk.partial], [early!.file]);
  const partial = await again.disk.resume(early!.file);
  test.ok(partial?.isWhole());
  await again.disk.publish(partial!);
  await again.disk.close();
  test.same((await heldAt(path)).toSorted(), [early!.file, late!.file].toSorted());
});

void t.test(
  'what was being deleted when the process ended is held as long as it lies whole',
  async (test) => {
    const files = [1, 2].map((seed) => testFile(seededBytes(5000, seed)));
    const { path, indexPath, layout } = await diskWith(test, files);
    for (const file of files) await interrupted(indexPath, file);
    await rm(layout.content(files[1]!.file));
    test.same(await heldAt(path), [files[0]!.file]);
    test.same(await readdir(layout.folder(files[1]!.file)), [], 'what was left of it is removed');
  },
);

void t.test('what somebody brought is taken in when disk and index are compared', async (test) => {
  const file = testFile(seededBytes(5000, 1));
  const from = await diskWith(test, [file]);
  const to = await diskWith(test, []);
  for (const form of ['content', 'descriptor'] as const)
    await cp(from.layout[form](file.file), to.layout[form](file.file));
  const { disk, writer } = await testDisk(to.path);
  const told: string[] = [];
  disk.onChange(({ kind }) => void told.push(kind));
  test.equal(disk.held.size, 0);
  await writer.heal();
  test.same(told, ['added']);
  test.equal((await disk.usage()).usedBytes, 12_288);
  await disk.close();
  test.same(await heldAt(to.path), [file.file]);
});

void t.test('on a disk that is full to the last block files can still be deleted', async (test) => {
  const small = await mountSmallDisk(16 * mib);
  if (typeof small === 'string') {
    test.pass('they can', { skip: small });
    return;
  }
  const { disk } = await testDisk(small.path);
  test.teardown(() => disk.close().then(() => small.unmount()));
  const files = [1, 2].map((seed) => testFile(seededBytes(mib, seed)));
  for (const file of files) await putFile(disk, file);
  await small.fill();
  for (const { file } of files) await disk.remove(file);
  await disk.close();
  const { disk: again } = await testDisk(small.path);
  test.equal(again.held.size, 0);
  test.equal(again.partial.size, 0);
  await test.rejects(stat(diskLayout(small.path).content(files[0]!.file)), { code: 'ENOENT' });
  await again.close();
});
