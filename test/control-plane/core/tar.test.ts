import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { valueOf } from '../../../common/runtime/errors.ts';
import {
  readTarHeader,
  tarBlockBytes,
  tarEnd,
  tarHeader,
  tarPadding,
} from '../../../control-plane/core/tar.ts';

const entries = fc.record({
  path: fc.stringMatching(/^[a-z][a-z0-9./-]{0,97}[a-z]$/),
  sizeBytes: fc.oneof(fc.nat(), fc.integer({ min: 8 ** 11 - 2, max: Number.MAX_SAFE_INTEGER })),
  modifiedMs: fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1000),
});

t.test('a header says what it was made of, for every name, size and time', async (t) => {
  fc.assert(
    fc.property(entries, (entry) => {
      const header = tarHeader(entry);
      const read = header.ok ? readTarHeader(header.value) : header;
      return read.ok && JSON.stringify(read.value) === JSON.stringify(entry);
    }),
  );
  t.match(tarHeader({ path: 'x'.repeat(100), sizeBytes: 1, modifiedMs: 0 }), { ok: false, code: 'INVALID' });
  t.strictSame(readTarHeader(tarEnd.subarray(0, tarBlockBytes)), { ok: true, value: undefined });
});

t.test('whatever else stands there is no header', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: tarBlockBytes }), (bytes) => {
      const read = readTarHeader(Buffer.from(bytes));
      return (read.ok && read.value === undefined) || !read.ok;
    }),
  );
  fc.assert(
    fc.property(
      entries,
      fc.nat({ max: tarBlockBytes - 1 }),
      fc.integer({ min: 1, max: 255 }),
      (entry, at, by) => {
        const header = tarHeader(entry);
        if (!header.ok) return false;
        header.value[at] = ((header.value[at] ?? 0) + by) % 256;
        const read = readTarHeader(header.value);
        // A byte of the checksum's end is not looked at.
        return !read.ok || (at >= 154 && at < 156);
      },
    ),
  );
  t.pass();
});

t.test('tar reads it', async (t) => {
  const content = Buffer.from('hello');
  const entry = { path: 'records/a.db', sizeBytes: content.length, modifiedMs: 1_700_000_000_000 };
  const path = join(t.testdir(), 'a.tar');
  await writeFile(
    path,
    Buffer.concat([valueOf(tarHeader(entry)), content, Buffer.alloc(tarPadding(content.length)), tarEnd]),
  );
  const { stdout } = await promisify(execFile)('tar', ['-tvf', path, '--utc']);
  t.match(stdout, /^-rw------- .* 5 2023-11-14 22:13 records\/a\.db$/m);
});
