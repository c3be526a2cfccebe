import { open } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { createBlobContent } from '../../../appliance/store/blob-content.ts';
import { openBlobs } from '../../../common/adapters/blobs/open.ts';
import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import { seededBytes, testFile, testToken, type TestFile } from '../../support/appliance/content.ts';
import { rawGet } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory, testEngine, testPool } from '../../support/appliance/serving-box.ts';

const mib = 1024 * 1024;

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes);
}

async function origin(test: Test, files: readonly TestFile[], options: { cacheBytes?: number } = {}) {
  const path = await temporaryDirectory(test);
  const blobs = await openBlobs(`file://${path}`);
  test.teardown(() => blobs.close());
  for (const { file, bytes, descriptor } of files) {
    await blobs.write(`files/${file}`, one(bytes));
    await blobs.write(`files/${file}.chunks`, one(descriptor));
  }
  const counted = { reads: 0, corrupt: [] as string[] };
  const counting: Blobs = {
    ...blobs,
    stat: (key) => blobs.stat(key),
    read: (key, range) => {
      counted.reads++;
      return blobs.read(key, range);
    },
  };
  const content = createBlobContent({
    blobs: counting,
    pool: testPool(),
    cacheBytes: options.cacheBytes ?? 16 * mib,
    loadsMax: 4,
    onCorrupt: (file) => void counted.corrupt.push(file),
  });
  const engine = await testEngine(test, { content });
  const token = testToken(engine.key, { scope: 'fill', appliance: 'box' });
  const pathOf = ({ file, ext }: TestFile): string => `/v1/${token}/${file}.${ext}`;
  return { ...engine, counted, path, blobs, pathOf };
}

async function spoil(path: string, { file }: TestFile, position: number): Promise<void> {
  const handle = await open(join(path, 'files', file), 'r+');
  await handle.write(Buffer.from([1, 2, 3]), 0, 3, position);
  await handle.close();
}

void t.test(
  'blobs are pulled through: whole, in ranges over chunk borders, each chunk read once',
  async (test) => {
    const film = testFile(seededBytes(3 * mib + 5, 1));
    const { url, pathOf, counted } = await origin(test, [film]);
    const get = async (range: string) =>
      Buffer.from(await (await fetch(url + pathOf(film), { headers: { range } })).arrayBuffer());
    const [first, again] = await Promise.all([
      get(`bytes=${mib - 5}-${mib + 5}`),
      get(`bytes=${mib - 9}-${mib + 9}`),
    ]);
    test.ok(first.equals(film.bytes.subarray(mib - 5, mib + 6)));
    test.ok(again.equals(film.bytes.subarray(mib - 9, mib + 10)));
    test.equal(counted.reads, 3, 'the chunk list and two chunks, shared');
    const whole = await fetch(url + pathOf(film));
    test.equal(whole.headers.get('cache-status'), 'nearcast;hit');
    test.ok(Buffer.from(await whole.arrayBuffer()).equals(film.bytes));
    test.equal(counted.reads, 5);
    const missing = await fetch(url + pathOf(testFile(Buffer.from('x'))));
    test.equal(missing.status, 404);
  },
);

void t.test('a blob that rotted is never served: 502 before the body, a cut inside it', async (test) => {
  const film = testFile(seededBytes(4 * mib, 2));
  const { url, port, path, pathOf, counted, records } = await origin(test, [film], { cacheBytes: mib });
  await spoil(path, film, 2 * mib + 100);
  const good = await fetch(url + pathOf(film), { headers: { range: `bytes=0-${2 * mib - 1}` } });
  test.ok(Buffer.from(await good.arrayBuffer()).equals(film.bytes.subarray(0, 2 * mib)));
  const bad = await fetch(url + pathOf(film), { headers: { range: `bytes=${2 * mib}-${2 * mib}` } });
  test.equal(bad.status, 502);
  test.equal(((await bad.json()) as { code: string }).code, 'FILE_CORRUPT');
  test.ok(counted.corrupt.includes(film.file));
  const cut = await rawGet(port, pathOf(film)).catch((error: unknown) => error as NodeJS.ErrnoException);
  if ('body' in cut)
    test.ok(film.bytes.subarray(0, cut.body.length).equals(cut.body) && cut.body.length <= 2 * mib);
  else test.equal(cut.code, 'ECONNRESET');
  test.ok(records.cut.includes('FILE_CORRUPT'));
});

void t.test('a chunk list that is not the file’s, a blob of another size', async (test) => {
  const [one1, two] = [testFile(seededBytes(100, 3)), testFile(seededBytes(100, 4))] as const;
  const { url, blobs, pathOf } = await origin(test, [one1, two]);
  await blobs.write(`files/${one1.file}.chunks`, one(two.descriptor));
  await blobs.write(`files/${two.file}`, one(two.bytes.subarray(0, 99)));
  for (const file of [one1, two]) test.equal((await fetch(url + pathOf(file))).status, 502);
});
