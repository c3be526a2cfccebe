import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import type t from 'tap';
import { readBlobBytes, writeBlobBytes } from '../../common/adapters/blobs/bytes.ts';
import type { Blobs } from '../../common/adapters/blobs/port.ts';

/** Any object that tap runs subtests on. */
type Test = Pick<typeof t, 'test'>;

/** The behaviour that every engine of the blobs port has. `open` gives an empty store and closes it. */
export function blobsConformance(t: Test, open: () => Promise<Blobs>): void {
  t.test('what was written is read, whole and in ranges', async (t) => {
    const blobs = await open();
    const bytes = Buffer.from('0123456789');
    t.strictSame(await writeBlobBytes({ blobs, key: 'files/abc' }, bytes), {
      kind: 'written',
      sizeBytes: 10,
    });
    t.equal((await blobs.stat('files/abc'))?.sizeBytes, 10);
    t.ok(((await blobs.stat('files/abc'))?.modifiedMs ?? 0) > 1_600_000_000_000);
    t.equal(await readText(blobs, 'files/abc'), '0123456789');
    t.equal(await readText(blobs, 'files/abc', { offset: 3, length: 4 }), '3456');
    t.equal(
      await readText(blobs, 'files/abc', { offset: 8, length: 100 }),
      '89',
      'beyond the end is left out',
    );
    t.equal(await readText(blobs, 'files/abc', { offset: 10 }), '');
    t.equal(await readText(blobs, 'files/abc', { offset: 99, length: 1 }), '');
    t.equal(await readText(blobs, 'files/abc', { offset: 2, length: 0 }), '');
    await t.rejects(blobs.read('files/abc', { offset: -1 }), { code: 'INVALID' });
    await t.rejects(blobs.read('files/abc', { length: 0.5 }), { code: 'INVALID' });
  });

  t.test('any range of any size is the slice of the bytes', async (t) => {
    const blobs = await open();
    const size = fc.nat({ max: 3000 });
    await fc.assert(
      fc.asyncProperty(size, size, size, async (sizeBytes, offset, length) => {
        const bytes = Buffer.alloc(sizeBytes, 'nearcast is near');
        await writeBlobBytes({ blobs, key: 'p' }, bytes);
        const body = await blobs.read('p', { offset, length });
        if (body === undefined) throw new Error('not there');
        return bytes.subarray(offset, offset + length).equals(Buffer.concat(await body.toArray()));
      }),
      { numRuns: 40 },
    );
    t.pass();
  });

  t.test('absence is a value', async (t) => {
    const blobs = await open();
    t.equal(await blobs.stat('none/here'), undefined);
    t.equal(await blobs.read('none/here'), undefined);
    t.equal(await blobs.read('none/here', { offset: 5, length: 0 }), undefined);
    t.equal(await blobs.localPath?.('none/here'), undefined);
    await blobs.remove('none/here');
    t.strictSame(await blobs.list('none'), []);
  });

  t.test('an empty blob is a blob', async (t) => {
    const blobs = await open();
    await writeBlobBytes({ blobs, key: 'empty' }, Buffer.alloc(0));
    t.equal((await blobs.stat('empty'))?.sizeBytes, 0);
    t.equal(await readText(blobs, 'empty'), '');
    t.equal((await blobs.list(''))[0]?.key, 'empty');
  });

  t.test('a write replaces; ifAbsent leaves what is there', async (t) => {
    const blobs = await open();
    const target = { blobs, key: 'k' };
    await writeBlobBytes(target, Buffer.from('one'));
    await writeBlobBytes(target, Buffer.from('second'));
    t.equal(await readText(blobs, 'k'), 'second');
    t.strictSame(await writeBlobBytes(target, Buffer.from('3'), { ifAbsent: true }), { kind: 'exists' });
    t.equal(await readText(blobs, 'k'), 'second');
    await blobs.remove('k');
    t.equal(await blobs.read('k'), undefined);
    t.equal((await writeBlobBytes(target, Buffer.from('4'), { ifAbsent: true })).kind, 'written');
  });

  t.test('of several writers with ifAbsent one wins', async (t) => {
    const blobs = await open();
    const kinds = await Promise.all(
      Array.from({ length: 5 }, async (_, index) => {
        const written = await writeBlobBytes({ blobs, key: 'race' }, Buffer.from(String(index)), {
          ifAbsent: true,
        });
        return written.kind;
      }),
    );
    t.strictSame(kinds.toSorted(), ['exists', 'exists', 'exists', 'exists', 'written']);
    t.equal(await readText(blobs, 'race'), String(kinds.indexOf('written')));
  });

  t.test('a source that fails, stops short or goes on leaves nothing', async (t) => {
    const blobs = await open();
    const failure = new Error('the source broke');
    await t.rejects(blobs.write('half', chunks(3, failure)), failure, "the source's error is passed on");
    await t.rejects(blobs.write('half', chunks(3), { sizeBytes: 4 * CHUNK }), { code: 'SIZE_MISMATCH' });
    await t.rejects(blobs.write('half', chunks(3), { sizeBytes: 2 * CHUNK }), { code: 'SIZE_MISMATCH' });
    t.equal(await blobs.stat('half'), undefined);
    t.strictSame(await blobs.list(''), []);
    t.strictSame(await blobs.write('half', chunks(3), { sizeBytes: 3 * CHUNK }), {
      kind: 'written',
      sizeBytes: 3 * CHUNK,
    });
  });

  t.test('a blob that is being replaced stays as it was until the new one is whole', async (t) => {
    const blobs = await open();
    await writeBlobBytes({ blobs, key: 'k' }, Buffer.from('old'));
    await t.rejects(blobs.write('k', chunks(3, new Error('broke'))));
    t.equal(await readText(blobs, 'k'), 'old');
  });

  t.test('a signal ends a write, even of a source that hangs, and a read', async (t) => {
    const blobs = await open();
    const late = new AbortController();
    setTimeout(() => {
      late.abort(new DOMException('too late', 'TimeoutError'));
    }, 50);
    await t.rejects(blobs.write('k', hanging(), { signal: late.signal }), { code: 'TIMEOUT' });
    const gone = AbortSignal.abort();
    await t.rejects(blobs.write('k', chunks(3), { signal: gone }), { code: 'ABORTED' });
    t.equal(await blobs.stat('k'), undefined);
    await blobs.write('k', chunks(40));
    const reading = new AbortController();
    const body = await blobs.read('k', { signal: reading.signal });
    reading.abort();
    await t.rejects(async () => await body?.toArray(), { name: 'AbortError' });
  });

  t.test('a large blob comes back byte for byte', async (t) => {
    const blobs = await open();
    const written = await blobs.write('large', chunks(400));
    t.strictSame(written, { kind: 'written', sizeBytes: 400 * CHUNK });
    let sizeBytes = 0;
    let wrong = 0;
    for await (const chunk of (await blobs.read('large')) as AsyncIterable<Buffer>) {
      for (const byte of chunk) wrong += Number(byte !== (Math.floor(sizeBytes++ / CHUNK) & 0xff));
    }
    t.equal(sizeBytes, 400 * CHUNK);
    t.equal(wrong, 0);
    t.equal((await readBlobBytes(blobs, 'large', { sizeBytesMax: 400 * CHUNK }))?.length, 400 * CHUNK);
    await t.rejects(readBlobBytes(blobs, 'large', { sizeBytesMax: 1000 }), { code: 'VALUE_TOO_LARGE' });
  });

  t.test('lists are in the order of bytes, by prefix, page by page', async (t) => {
    const blobs = await open();
    const keys = ['a-b/x', 'a.b', 'a/b', 'a/b.chunks', 'a/c/d', 'a0', 'B', 'b/1', 'b/10', 'b/2'];
    for (const key of keys) await writeBlobBytes({ blobs, key }, Buffer.from(key));
    const sorted = keys.toSorted();
    const listed = async (prefix: string, options = {}): Promise<string[]> =>
      (await blobs.list(prefix, options)).map((entry) => entry.key);
    t.strictSame(await listed(''), sorted);
    t.equal((await blobs.list('a/b'))[0]?.sizeBytes, 3);
    for (const prefix of ['a', 'a/', 'a/b', 'b/1', 'a/c/', 'zz', 'a/c/d/e']) {
      t.strictSame(
        await listed(prefix),
        sorted.filter((key) => key.startsWith(prefix)),
        prefix,
      );
    }
    for (const after of [...sorted, 'a/bb', 'a/c', 'A', 'z']) {
      t.strictSame(
        await listed('', { after, limit: 3 }),
        sorted.filter((key) => key > after).slice(0, 3),
        after,
      );
      t.strictSame(
        await listed('a/', { after }),
        sorted.filter((key) => key > after && key.startsWith('a/')),
        after,
      );
    }
  });

  t.test('keys that are none are refused by every verb', async (t) => {
    const blobs = await open();
    const bad = [
      '',
      '/',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      '../a',
      'a/../b',
      'a/.b',
      'a\0b',
      'a b',
      'ä',
      'a\\b',
      'a/'.repeat(300) + 'a',
      'x'.repeat(201),
    ];
    for (const key of bad) {
      await t.rejects(blobs.stat(key), { code: 'KEY_INVALID' }, JSON.stringify(key.slice(0, 20)));
      await t.rejects(blobs.read(key), { code: 'KEY_INVALID' });
      await t.rejects(blobs.write(key, chunks(1)), { code: 'KEY_INVALID' });
      await t.rejects(blobs.remove(key), { code: 'KEY_INVALID' });
      if (blobs.localPath) await t.rejects(blobs.localPath(key), { code: 'KEY_INVALID' });
    }
    for (const prefix of ['/', '../', 'a/../', '.', 'a//', 'a\0']) {
      await t.rejects(blobs.list(prefix), { code: 'KEY_INVALID' }, JSON.stringify(prefix));
    }
  });
}

const CHUNK = 64 * 1024;

/** So many chunks, each filled with its number; then the failure if there is one. */
export async function* chunks(count: number, failure?: Error): AsyncGenerator<Uint8Array, void, undefined> {
  for (let index = 0; index < count; index += 1) {
    await Promise.resolve();
    yield Buffer.alloc(CHUNK, index & 0xff);
  }
  if (failure) throw failure;
}

async function* hanging(): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.alloc(CHUNK);
  await delay(60_000, undefined, { ref: false });
}

async function readText(blobs: Blobs, key: string, range = {}): Promise<string | undefined> {
  const body = await blobs.read(key, range);
  return body && Buffer.concat(await body.toArray()).toString();
}
