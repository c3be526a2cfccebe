import fc from 'fast-check';
import t from 'tap';

import { SpareFiles } from '../../../../appliance/core/eviction/spare-files.ts';

const spare = (file: string, disk = 0) => ({ file, disk, sizeBytes: 100, costBytes: 128 });
const anything = () => true;
const minuteMs = 60_000;

function evictAll(files: SpareFiles, disk = 0, mayGo: (file: string) => boolean = anything): string {
  const order: string[] = [];
  for (;;) {
    const file = files.evict(disk, mayGo);
    if (file === undefined) return order.join(' ');
    order.push(file);
  }
}

t.test(
  'a viewing is one request, however many ranges it has; another one begins after a pause',
  async (t) => {
    const files = new SpareFiles('gdsf');
    files.put(spare('a'), { asked: 0, nowMs: 0 });
    const asked = () => [...files.inOrder()][0]?.asked;
    for (let ms = 0; ms < 50_000; ms += 1000) files.sent('a', 1, ms);
    t.equal(asked(), 0, 'the one that brought it here');
    files.sent('a', 50, 51_000);
    t.equal(asked(), 1, 'as many bytes have left as it has');
    files.sent('a', 1, 51_000 + minuteMs);
    t.equal(asked(), 2, 'somebody begins to read it');
    files.sent('unknown', 1, 0);
  },
);

t.test('each disk is a cache of its own', async (t) => {
  const files = new SpareFiles('lru');
  for (const [file, disk] of [
    ['a', 0],
    ['b', 1],
    ['c', 0],
    ['d', 1],
  ] as const)
    files.put(spare(file, disk), { asked: 0, nowMs: 0 });
  t.strictSame(
    files.bytesByDisk((file) => file !== 'd'),
    new Map([
      [0, 256],
      [1, 128],
    ]),
  );
  files.sent('b', 1, minuteMs);
  t.equal(evictAll(files, 1), 'd b');
  t.equal(evictAll(files, 0), 'a c');
  t.strictSame([...files.inOrder()], []);
});

t.test('what is asked for stays by S3-FIFO, what only came lately does not', async (t) => {
  const files = new SpareFiles('s3fifo');
  files.resize(new Map([[0, 1280]]));
  for (const file of ['a', 'b', 'c', 'd']) files.put(spare(file), { asked: 0, nowMs: 0 });
  for (const times of [1, 2, 3]) files.sent('a', 1, times * minuteMs);
  files.sent('b', 1, minuteMs);
  t.equal(
    files.evict(0, (file) => file !== 'c'),
    'b',
    'asked for once; c is being read',
  );
  t.equal(evictAll(files), 'c d a');
});

t.test('sorted in anew with how often each was asked for, it goes on as before', async (t) => {
  for (const policy of ['lru', 's3fifo', 'sieve', 'gdsf'] as const) {
    const files = new SpareFiles(policy);
    for (const file of ['a', 'b', 'c']) files.put(spare(file), { asked: 0, nowMs: 0 });
    for (const times of [1, 2]) files.sent('a', 1, times * minuteMs);
    const again = new SpareFiles(policy);
    for (const { file, asked } of files.inOrder()) again.put(spare(file), { asked, nowMs: 0 });
    t.equal(evictAll(again), evictAll(files), policy);
  }
});

t.test('one that is put again stays what it is; on another disk it is new there', async (t) => {
  const files = new SpareFiles('lru');
  for (const file of ['a', 'b']) files.put(spare(file), { asked: 0, nowMs: 0 });
  files.put(spare('a'), { asked: 9, nowMs: 0 });
  t.equal([...files.inOrder()][0]?.asked, 0);
  files.put(spare('a', 1), { asked: 0, nowMs: 0 });
  t.equal(evictAll(files, 0), 'b');
  t.equal(evictAll(files, 1), 'a');
  files.resize(new Map([[1, 5]]));
});

t.test('whatever happens, what it knows is what it was told', async () => {
  const verb = fc.constantFrom('put', 'put', 'remove', 'sent', 'evict', 'resize');
  const actions = fc.array(
    fc.record({ verb, name: fc.nat(20), disk: fc.nat(2), bytes: fc.integer({ min: 1, max: 300 }) }),
  );
  fc.assert(
    fc.property(fc.constantFrom('lru', 'sieve', 's3fifo', 'gdsf'), actions, (policy, all) => {
      const files = new SpareFiles(policy);
      const disks = new Map<string, number>();
      for (const [at, { verb, name, disk, bytes }] of all.entries()) {
        const file = `f${name}`;
        if (verb === 'put') {
          files.put(spare(file, disk), { asked: bytes, nowMs: at });
          disks.set(file, disk);
        } else if (verb === 'remove') {
          files.remove(file);
          disks.delete(file);
        } else if (verb === 'sent') files.sent(file, bytes, at * 1000);
        else if (verb === 'resize') files.resize(new Map([[disk, bytes]]));
        else {
          const victim = files.evict(disk, (each) => each !== file);
          if (victim === undefined) {
            if ([...disks].some(([each, on]) => on === disk && each !== file)) return false;
          } else if (victim === file || disks.get(victim) !== disk || !disks.delete(victim)) return false;
        }
      }
      return [...files.inOrder()].length === disks.size;
    }),
    { numRuns: 1000 },
  );
});
