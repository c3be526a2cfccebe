import { createHash } from 'node:crypto';

import fc from 'fast-check';
import t from 'tap';

import {
  chunkSizeBytes,
  ChunkTreeBuilder,
  describeBytes,
  encodeDescriptor,
  fileNameOf,
  openDescriptor,
  verifyChunk,
} from '../../../common/core/chunk-tree.ts';

const bytes = Buffer.alloc(2 * chunkSizeBytes + 12_345, 'nearcast');

t.test('the name is the hash of magic, version, size and chunk hashes', async (t) => {
  const { descriptor, file, tree } = describeBytes(bytes);
  const sha = (part: Uint8Array) => createHash('sha256').update(part).digest();
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(bytes.length));
  const expected = Buffer.concat([
    Buffer.from('nearcast-file\0'),
    Buffer.from([1]),
    size,
    sha(bytes.subarray(0, chunkSizeBytes)),
    sha(bytes.subarray(chunkSizeBytes, 2 * chunkSizeBytes)),
    sha(bytes.subarray(2 * chunkSizeBytes)),
  ]);
  t.same(descriptor, expected);
  t.equal(file, sha(expected).toString('hex'));
  t.equal(tree.sizeBytes, bytes.length);
});

t.test('the pieces in which bytes come do not matter', async () => {
  const { file } = describeBytes(bytes);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: chunkSizeBytes + 7 }), {
        maxLength: 20,
      }),
      (cuts) => {
        const builder = new ChunkTreeBuilder();
        let at = 0;
        for (const cut of cuts) {
          builder.update(bytes.subarray(at, at + cut));
          at = Math.min(bytes.length, at + cut);
        }
        builder.update(bytes.subarray(at));
        return builder.finish().file === file;
      },
    ),
    { numRuns: 20 },
  );
});

t.test('a chunk verifies only at its place and to the byte', async (t) => {
  const { tree } = describeBytes(bytes);
  const last = bytes.subarray(2 * chunkSizeBytes);
  t.ok(verifyChunk(tree, 2, last));
  t.notOk(verifyChunk(tree, 1, last));
  t.notOk(verifyChunk(tree, 2, last.subarray(1)));
  t.notOk(verifyChunk(tree, 3, last));
  t.notOk(verifyChunk(tree, -1, last));
  const flipped = Buffer.from(last);
  flipped[100] = (flipped[100] ?? 0) ^ 1;
  t.notOk(verifyChunk(tree, 2, flipped));
});

t.test('a descriptor that is not the named one is refused', async (t) => {
  const { descriptor, file, tree } = describeBytes(bytes);
  const opened = openDescriptor(file, descriptor);
  t.ok(opened.ok && opened.value.sizeBytes === bytes.length);
  t.match(openDescriptor('0'.repeat(64), descriptor), {
    ok: false,
    code: 'FILE_CORRUPT',
  });
  // Hash and name agree in these, so that only the form is wrong.
  const forms: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    'other magic': Buffer.alloc(descriptor.length, 1),
    'newer version': Buffer.from(descriptor).fill(2, 14, 15),
    'size lies': encodeDescriptor({
      sizeBytes: tree.sizeBytes + chunkSizeBytes,
      hashes: tree.hashes,
    }),
    'absurd size': Buffer.from(descriptor).fill(0xff, 15, 23),
  };
  for (const [name, form] of Object.entries(forms)) {
    t.match(openDescriptor(fileNameOf(form), form), { ok: false, code: 'FILE_CORRUPT' }, name);
  }
});

t.test('an empty file has no chunks and a name', async (t) => {
  const { descriptor, file } = describeBytes(Buffer.alloc(0));
  t.match(openDescriptor(file, descriptor), {
    ok: true,
    value: { sizeBytes: 0 },
  });
});
