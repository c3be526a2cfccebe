import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { putFile, seededBytes, testFile, type TestFile } from '../../support/appliance/content.ts';
import { temporaryDirectory, testDisk } from '../../support/appliance/serving-box.ts';

const mib = 1024 * 1024;

void t.test(
  'by its index a disk holds at once what it held; compared with its files, what they say',
  async (test) => {
    const path = await temporaryDirectory(test);
    const files = [1, 2, 3].map((seed) => testFile(seededBytes(1000 * seed, seed)));
    const first = await testDisk(path);
    for (const file of files) await putFile(first.disk, file);
    const partial = await first.disk.begin(
      testFile(seededBytes(2 * mib, 9)).file,
      testFile(seededBytes(2 * mib, 9)).descriptor,
    );
    const { usedBytes } = await first.disk.usage();
    await first.disk.close();
    const [kept, bare, cut] = files as [(typeof files)[0], (typeof files)[0], (typeof files)[0]];
    const folder = (file: string): string => join(path, 'files', file.slice(0, 2));
    await rm(join(folder(bare.file), `${bare.file}.chunks`));
    await writeFile(join(folder(cut.file), `${cut.file}.chunks`), cut.descriptor.subarray(0, 20));
    await writeFile(join(path, 'files', '00', 'notes.txt'), 'x');
    await writeFile(join(path, 'partial', `${'0'.repeat(64)}.map`), 'x');
    await mkdir(join(path, 'files', '00', 'lost+found'));
    const { disk, writer } = await testDisk(path);
    test.equal(disk.held.size, 3);
    test.equal((await readdir(join(path, 'partial'))).length, 3);
    const told: string[] = [];
    disk.onChange(({ kind, file }) => void told.push(`${kind} ${file}`));
    await writer.heal();
    test.same(told.toSorted(), [`removed ${bare.file}`, `removed ${cut.file}`].toSorted());
    test.same([...disk.held.keys()], [kept.file]);
    test.same([...disk.partial], [partial.file]);
    test.same(
      await readdir(join(path, 'files', '00')).then((names) => names.filter((name) => name.length < 64)),
      ['lost+found'],
    );
    test.ok((await disk.usage()).usedBytes < usedBytes);
    await disk.close();
  },
);

void t.test(
  'a pipe, a link or a huge list in place of a file holds nobody up and is followed nowhere',
  async (test) => {
    const path = await temporaryDirectory(test);
    const files = [1, 2, 3, 4].map((seed) => testFile(seededBytes(1000 * seed, seed)));
    const first = await testDisk(path);
    for (const file of files) await putFile(first.disk, file);
    const [begun, other] = [8, 9].map((seed) => testFile(seededBytes(2 * mib, seed))) as [TestFile, TestFile];
    for (const one of [begun, other]) await first.disk.begin(one.file, one.descriptor);
    await first.disk.close();
    const [kept, piped, linked, list] = files as [TestFile, TestFile, TestFile, TestFile];
    const content = ({ file }: TestFile): string => join(path, 'files', file.slice(0, 2), file);
    const elsewhere = join(path, 'elsewhere');
    await writeFile(elsewhere, linked.bytes);
    for (const one of [content(piped), content(linked), `${content(list)}.chunks`]) await rm(one);
    const map = join(path, 'partial', `${other.file}.map`);
    await rm(map);
    execFileSync('mkfifo', [content(piped), `${content(list)}.chunks`, map]);
    await symlink(elsewhere, content(linked));
    await truncate(join(path, 'partial', `${begun.file}.map`), 2 ** 40);
    const { disk, writer } = await testDisk(path);
    await writer.heal();
    test.same([...disk.held.keys()], [kept.file]);
    test.equal(await disk.resume(begun.file), undefined);
    test.equal(await disk.resume(other.file), undefined);
    test.same(await readFile(elsewhere), linked.bytes, 'what a link led to is left alone');
    await disk.close();
  },
);

void t.test(
  'changes are told in order: added once it can be read, removed before it is gone',
  async (test) => {
    const { disk } = await testDisk(await temporaryDirectory(test));
    const file = testFile(seededBytes(5000, 1));
    const seen: string[] = [];
    disk.onChange(({ kind }) => void seen.push(`${kind} ${disk.held.has(file.file)}`));
    await putFile(disk, file);
    await disk.remove(file.file);
    await disk.remove(file.file);
    test.same(seen, ['added true', 'removed false']);
    test.equal((await disk.usage()).usedBytes, 0);
    test.equal(await disk.open(file.file, 'content'), undefined);
    await disk.close();
  },
);

void t.test(
  'no chunk that does not match is written, no partial file is published, a foreign list begins nothing',
  async (test) => {
    const { disk } = await testDisk(await temporaryDirectory(test));
    const file = testFile(seededBytes(mib + 10, 1));
    await test.rejects(disk.begin(file.file, testFile(Buffer.from('x')).descriptor), {
      code: 'FILE_CORRUPT',
    });
    const partial = await disk.begin(file.file, file.descriptor);
    test.equal(await partial.put(0, file.bytes.subarray(1, mib + 1)), false);
    test.equal(await partial.put(0, file.bytes.subarray(0, mib - 1)), false);
    test.equal(await partial.put(1, file.bytes.subarray(mib)), true);
    test.equal(await partial.put(7, file.bytes.subarray(mib)), false);
    await test.rejects(disk.publish(partial), /whole/);
    test.equal(disk.held.size, 0);
    await disk.close();
  },
);

void t.test('a file that somebody deleted is withdrawn when it is asked for', async (test) => {
  const path = await temporaryDirectory(test);
  const { disk } = await testDisk(path);
  const file = testFile(seededBytes(5000, 1));
  await putFile(disk, file);
  await rm(join(path, 'files', file.file.slice(0, 2), file.file));
  test.equal(await disk.open(file.file, 'content'), undefined);
  test.equal(disk.held.size, 0);
  await disk.close();
});

void t.test(
  'a file that somebody cut is never served as a whole, nor held once disk and index were compared',
  async (test) => {
    const path = await temporaryDirectory(test);
    const { disk } = await testDisk(path);
    const files = [1, 2, 3].map((seed) => testFile(seededBytes(mib + 5000, seed)));
    const [early, late, list] = files as [(typeof files)[0], (typeof files)[0], (typeof files)[0]];
    for (const file of files) await putFile(disk, file);
    const at = ({ file }: (typeof files)[0], suffix = ''): string =>
      join(path, 'files', file.slice(0, 2), `${file}${suffix}`);
    // One byte: the number of chunks stays the same.
    await truncate(at(early), mib + 4999);
    test.equal(await disk.open(early.file, 'content'), undefined);
    const reading = await disk.open(late.file, 'content');
    await truncate(at(late), 100);
    await test.rejects(reading!.read(mib, 10), { code: 'FILE_CORRUPT' });
    reading!.release();
    test.equal(await disk.open(late.file, 'content'), undefined);
    test.same([...disk.held.keys()], [list.file]);
    await truncate(at(list, '.chunks'), list.descriptor.length - 1);
    await disk.close();
    const again = await testDisk(path);
    await again.writer.heal();
    test.equal(again.disk.held.size, 0);
    await again.disk.close();
  },
);

void t.test('the reserve and the configured capacity bound what may be filled', async (test) => {
  const path = await temporaryDirectory(test);
  const bounded = await testDisk(path, { capacityBytes: 5 * mib });
  test.equal((await bounded.disk.usage()).capacityBytes, 5 * mib);
  await bounded.disk.close();
  const reserved = await testDisk(path, { reserveBytes: 2 ** 60 });
  test.equal((await reserved.disk.usage()).capacityBytes, 0);
  await reserved.disk.close();
});

void t.test('descriptors are shared, bounded while idle, and closed', async (test) => {
  const { disk, openFiles } = await testDisk(await temporaryDirectory(test), { openMax: 3 });
  const files = Array.from({ length: 8 }, (_, seed) => testFile(seededBytes(100, seed)));
  for (const file of files) await putFile(disk, file);
  const opened = await Promise.all([...files, ...files].map(({ file }) => disk.open(file, 'content')));
  test.equal(openFiles.size, 8, 'those in use stay open');
  for (const content of opened) content?.release();
  await disk.open(files[0]!.file, 'content').then((content) => content?.release());
  test.equal(openFiles.size, 3);
  await disk.close();
  test.equal(openFiles.size, 0);
});
