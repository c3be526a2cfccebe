import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { writeBlobBytes } from '../../../../common/adapters/blobs/bytes.ts';
import { openBlobs } from '../../../../common/adapters/blobs/open.ts';
import type { Blobs } from '../../../../common/adapters/blobs/port.ts';
import { blobsConformance, chunks } from '../../../conformance/blobs.ts';
import { mountSmallDisk } from '../../../support/small-disk.ts';

const base = t.testdir();
const newRoot = (): Promise<string> => mkdtemp(join(base, 'blobs-'));
const open = (root: string): Promise<Blobs> => openBlobs(pathToFileURL(root).href);

t.test('conformance: directory', (t) => {
  blobsConformance(t, async () => open(await newRoot()));
  t.end();
});

t.test('a URL that names no engine', async (t) => {
  for (const url of ['', 'nonsense', 'ftp://x/y', '/tmp/x'])
    await t.rejects(openBlobs(url), { code: 'CONFIG_INVALID' });
});

t.test('the directory is made, and the local path is the file', async (t) => {
  const root = join(await newRoot(), 'not/yet');
  const blobs = await open(root);
  await writeBlobBytes({ blobs, key: 'files/a' }, Buffer.from('x'));
  t.equal(await blobs.localPath?.('files/a'), join(root, 'files/a'));
});

t.test('what is no regular file is no blob', async (t) => {
  const root = await newRoot();
  const blobs = await open(root);
  await mkdir(join(root, 'folder'));
  await symlink('/etc/passwd', join(root, 'link'));
  for (const key of ['folder', 'link']) {
    t.equal(await blobs.stat(key), undefined, key);
    t.equal(await blobs.localPath?.(key), undefined, key);
  }
  t.equal(await blobs.read('folder'), undefined);
  await t.rejects(blobs.read('link'), { code: 'STORE_UNAVAILABLE' });
  t.strictSame(await blobs.list(''), []);
});

t.test('a key and a folder of the same name are refused', async (t) => {
  const root = await newRoot();
  const blobs = await open(root);
  await writeBlobBytes({ blobs, key: 'a/b' }, Buffer.from('x'));
  await t.rejects(blobs.write('a', chunks(1)), { code: 'KEY_INVALID' });
  await t.rejects(blobs.write('a/b/c', chunks(1)), { code: 'KEY_INVALID' });
  t.equal((await blobs.list('')).length, 1);
  t.strictSame(await readdir(join(root, '.temps')), []);
});

t.test('temporary files of the dead are cleaned up, those of the living stay', async (t) => {
  const root = await newRoot();
  const writer = spawn(process.execPath, [join(import.meta.dirname, 'slow-writer.ts'), root], {
    stdio: 'pipe',
  });
  await once(writer.stdout, 'data');
  t.equal((await readdir(join(root, '.temps'))).length, 1);
  await open(root);
  t.equal((await readdir(join(root, '.temps'))).length, 1, 'its writer lives');
  writer.kill('SIGKILL');
  await once(writer, 'exit');
  const blobs = await open(root);
  t.strictSame(await readdir(join(root, '.temps')), []);
  t.strictSame(await blobs.list(''), []);
});

t.test('temporary files of another host are cleaned up after a day', async (t) => {
  const root = await newRoot();
  await open(root);
  const old = join(root, '.temps', '0000000000000000.1.1.a');
  const fresh = join(root, '.temps', '0000000000000000.1.1.b');
  await writeFile(old, '');
  await writeFile(fresh, '');
  const dayAgoS = Date.now() / 1000 - 25 * 3600;
  await utimes(old, dayAgoS, dayAgoS);
  await open(root);
  t.strictSame(await readdir(join(root, '.temps')), ['0000000000000000.1.1.b']);
});

t.test(
  'a full disk: a coded error, nothing half-visible, and writing goes on once there is room',
  async (t) => {
    const disk = await mountSmallDisk(1024 * 1024);
    if (typeof disk === 'string') {
      t.pass(`skipped: ${disk}`, { skip: disk });
      return;
    }
    t.teardown(disk.unmount);
    const blobs = await open(join(disk.path, 'blobs'));
    await writeBlobBytes({ blobs, key: 'kept' }, Buffer.from('kept'));
    await disk.fill(256 * 1024);
    await t.rejects(blobs.write('films/large', chunks(8)), { code: 'DISK_FULL', status: 507 });
    t.strictSame(
      (await blobs.list('')).map((entry) => entry.key),
      ['kept'],
    );
    t.strictSame(await readdir(join(disk.path, 'blobs/.temps')), []);
    await disk.fill(0);
    await open(join(disk.path, 'blobs'));
    await t.rejects(blobs.write('k', chunks(1)), { code: 'DISK_FULL' });
    await unlink(join(disk.path, 'filler'));
    t.equal((await blobs.write('films/large', chunks(8))).kind, 'written');
  },
);

t.test('a directory that may not be written can be read', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'nearcast-denied-'));
  t.teardown(() => rm(root, { recursive: true }));
  const blobs = await open(root);
  await writeBlobBytes({ blobs, key: 'a' }, Buffer.from('x'));
  for (const path of [root, join(root, '.temps')]) await chmod(path, 0o555);
  await chmod(join(root, 'a'), 0o444);
  // Root may write everywhere: the child becomes nobody.
  const child = spawn(process.execPath, [join(import.meta.dirname, 'denied-writer.ts'), root], {
    stdio: 'pipe',
  });
  const output = (await child.stdout.toArray()).join('');
  t.equal(output, 'read x\nwrite STORE_DENIED\nreplace STORE_DENIED\nremove STORE_DENIED\n');
});
