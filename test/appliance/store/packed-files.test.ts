import fc from 'fast-check';
import t from 'tap';

import { packFiles, packedFilesMax, unpackFiles } from '../../../appliance/store/packed-files.ts';

const name = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));

void t.test('what is packed comes out as it was, in its order', async () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.maxSafeNat()), { maxLength: 50 }), (files) => {
      t.same(unpackFiles(packFiles(files)), files);
    }),
  );
});

void t.test('a text that is cut short or is none gives whole files only', async () => {
  const file = 'ab'.repeat(32);
  const packed = packFiles([
    [file, 1],
    [file, 2],
  ]);
  fc.assert(
    fc.property(fc.nat(packed.length), (length) => {
      const files = unpackFiles(packed.slice(0, length));
      t.ok(files.length <= 2 && files.every(([each]) => each === file));
    }),
  );
  t.same(unpackFiles('not Base64 at all'), []);
});

void t.test('a message takes so many files, and none takes more', async (test) => {
  const many = Array.from({ length: packedFilesMax }, () => ['0'.repeat(64), 1] as const);
  test.equal(unpackFiles(packFiles(many)).length, packedFilesMax);
  test.throws(() => unpackFiles(packFiles([...many, ...many])), /as many as fit/);
});
