import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { readBlobBytes } from '../../common/adapters/blobs/bytes.ts';
import { openBlobs } from '../../common/adapters/blobs/open.ts';
import type { Blobs } from '../../common/adapters/blobs/port.ts';
import { openDescriptor } from '../../common/core/chunk-tree.ts';
import { buildFromPath, buildFromText, type BuiltFile } from '../../encoder/package/built-file.ts';
import { contentKey, descriptorKey } from '../../common/core/file-keys.ts';
import { publish } from '../../encoder/publish.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const { signal } = new AbortController();

async function openTestBlobs(directory: string): Promise<Blobs> {
  return openBlobs(pathToFileURL(directory).href);
}

async function builtFiles(directory: string): Promise<{ files: BuiltFile[]; bundleFile: BuiltFile }> {
  const path = join(directory, 'video.mp4');
  await writeFile(path, Buffer.alloc(3 * 1024 * 1024 + 5, 'v'));
  return {
    files: [
      await buildFromPath(path, { ext: 'mp4', role: 'video', signal }),
      buildFromText('#EXTM3U\n', { ext: 'm3u8', role: 'playlist' }),
    ],
    bundleFile: buildFromText('{}', { ext: 'json', role: 'bundle' }),
  };
}

/** Blobs that note the order of writes. */
function noting(blobs: Blobs, writes: string[]): Blobs {
  return {
    ...{ stat: (key) => blobs.stat(key), read: (key, options) => blobs.read(key, options) },
    ...{ remove: (key) => blobs.remove(key), list: (prefix, options) => blobs.list(prefix, options) },
    close: () => blobs.close(),
    write: (key, source, options) => {
      writes.push(key);
      return blobs.write(key, source, options);
    },
  };
}

await t.test('content and descriptor of every file, then the bundle', async (t) => {
  const directory = t.testdir({ blobs: {} });
  const blobs = await openTestBlobs(join(directory, 'blobs'));
  t.teardown(() => blobs.close());
  const { files, bundleFile } = await builtFiles(directory);
  const writes: string[] = [];
  const progress: number[] = [];
  const published = await publish({
    ...{ blobs: noting(blobs, writes), files, bundleFile, signal },
    onProgress: (done, total) => progress.push(done / total),
  });
  t.same(
    writes,
    [...files, bundleFile].flatMap(({ file }) => [contentKey(file), descriptorKey(file)]),
  );
  t.same(published, { filesWritten: 3, filesPresent: 0, bytesWritten: 3 * 1024 * 1024 + 5 + 8 + 2 });
  t.equal(progress.at(-1), 1);
  for (const { file, sizeBytes } of [...files, bundleFile]) {
    const descriptor = await readBlobBytes(blobs, descriptorKey(file));
    const tree = openDescriptor(file, descriptor ?? Buffer.alloc(0));
    t.equal(tree.ok && tree.value.sizeBytes, sizeBytes, 'the name opens the stored descriptor');
    t.equal((await blobs.stat(contentKey(file)))?.sizeBytes, sizeBytes);
  }

  await t.test('a second time nothing is written', async (t) => {
    writes.length = 0;
    const again = await publish({ blobs: noting(blobs, writes), files, bundleFile, signal });
    t.same(writes, []);
    t.same(again, { filesWritten: 0, filesPresent: 3, bytesWritten: 0 });
  });

  await t.test('a file of the wrong size is put right', async (t) => {
    const [video] = files;
    const key = contentKey(video?.file ?? '');
    await blobs.write(
      key,
      (async function* () {
        yield Buffer.from('short');
      })(),
    );
    const again = await publish({ blobs, files, bundleFile, signal });
    t.equal(again.filesWritten, 1);
    t.equal((await blobs.stat(key))?.sizeBytes, video?.sizeBytes);
  });
});

await t.test('a file that changed after it was named is not published, nor is the bundle', async (t) => {
  const directory = t.testdir({ blobs: {} });
  const blobs = await openTestBlobs(join(directory, 'blobs'));
  t.teardown(() => blobs.close());
  const { files, bundleFile } = await builtFiles(directory);
  await writeFile(join(directory, 'video.mp4'), Buffer.alloc(3 * 1024 * 1024 + 5, 'x'));
  await t.rejects(publish({ blobs, files, bundleFile, signal }), { code: 'FILE_CORRUPT' });
  t.same(await blobs.list('files/'), []);
});

await t.test('a storage that is full holds no bundle', async (t) => {
  const disk = await mountSmallDisk(2 * 1024 * 1024);
  if (typeof disk === 'string') {
    t.comment(disk);
    return;
  }
  t.teardown(() => disk.unmount());
  const blobs = await openTestBlobs(join(disk.path, 'blobs'));
  t.teardown(() => blobs.close());
  const { files, bundleFile } = await builtFiles(t.testdir());
  await t.rejects(publish({ blobs, files, bundleFile, signal }), { code: 'DISK_FULL' });
  t.same(await blobs.list('files/'), [], 'nothing half published');
});

await t.test('an abort ends it before the next file', async (t) => {
  const directory = t.testdir({ blobs: {} });
  const blobs = await openTestBlobs(join(directory, 'blobs'));
  t.teardown(() => blobs.close());
  const stop = new AbortController();
  const built = await builtFiles(directory);
  const running = publish({
    ...{ ...built, blobs, signal: stop.signal },
    onProgress: () => {
      stop.abort();
    },
  });
  await t.rejects(running, { name: 'AbortError' });
  t.equal(await blobs.stat(contentKey(built.bundleFile.file)), undefined);
});
