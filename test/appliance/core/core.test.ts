import fc from 'fast-check';
import t from 'tap';

import { ChunkMap } from '../../../appliance/core/chunk-map.ts';
import { planFill } from '../../../appliance/core/fill-diff.ts';

const name = (index: number): string => index.toString(16).padStart(64, '0');
const oneDisk = (capacityBytes: number) => ({
  disks: [{ disk: 0, capacityBytes, bytesPerSecond: undefined }],
  begunOn: () => undefined,
  costBytes: (sizeBytes: number) => sizeBytes,
});

void t.test(
  'a fill plan never exceeds the capacity, has nothing evicted that is wanted or in use, nor more than is needed',
  (test) => {
    const file = fc.record({
      index: fc.nat(30),
      sizeBytes: fc.integer({ min: 1, max: 50 }),
      inUse: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(file, { selector: (each) => each.index, maxLength: 20 }),
        fc.uniqueArray(file, { selector: (each) => each.index, maxLength: 20 }),
        fc.nat(600),
        (held, wanted, extraBytes) => {
          const heldMap = new Map(held.map(({ index, ...info }) => [name(index), { ...info, disk: 0 }]));
          const heldBytes = held.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          const capacityBytes = Math.max(heldBytes, extraBytes);
          const list = wanted.map(({ index, sizeBytes }) => ({ file: name(index), ext: 'mp4', sizeBytes }));
          const plan = planFill({ wanted: list, held: heldMap, ...oneDisk(capacityBytes) });
          const evicted = plan.evictBytes.get(0) ?? 0;
          const fetched = plan.fetch.reduce((sum, each) => sum + each.sizeBytes, 0);
          const wantedNames = new Set(list.map((each) => each.file));
          const fits = heldBytes - evicted + fetched <= capacityBytes;
          const spare = held.filter(({ index, inUse }) => !inUse && !wantedNames.has(name(index)));
          const isFair = evicted <= spare.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          const isNeeded = evicted === 0 || heldBytes - evicted + fetched === capacityBytes;
          const missing = list.filter((each) => !heldMap.has(each.file)).length;
          const order = plan.fetch.map((each) => list.findIndex(({ file: other }) => other === each.file));
          return (
            fits &&
            isFair &&
            isNeeded &&
            plan.fetch.length + plan.left.length === missing &&
            order.every((at, index) => index === 0 || at > (order[index - 1] ?? 0))
          );
        },
      ),
      { numRuns: 2000 },
    );
    test.end();
  },
);

void t.test('what is in the way is counted, and a file named twice is fetched once', (test) => {
  const held = new Map([
    [name(1), { sizeBytes: 10, disk: 0, inUse: false }],
    [name(2), { sizeBytes: 10, disk: 0, inUse: false }],
  ]);
  const want = { file: name(3), ext: 'mp4', sizeBytes: 10 };
  const plan = planFill({ wanted: [want, want], held, ...oneDisk(20) });
  test.same(plan, {
    fetch: [{ ...want, disk: 0 }],
    remove: [],
    evictBytes: new Map([[0, want.sizeBytes]]),
    move: [],
    left: [],
  });
  test.end();
});

void t.test('a chunk map is what a set of numbers is', (test) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 70 }),
      fc.array(fc.nat(69)),
      fc.array(fc.nat(69)),
      (count, added, removed) => {
        const set = new Set<number>();
        const map = new ChunkMap(count);
        for (const index of added.filter((each) => each < count)) {
          set.add(index);
          map.add(index);
        }
        for (const index of removed.filter((each) => each < count)) {
          set.delete(index);
          map.remove(index);
        }
        const again = new ChunkMap(count, map.bits);
        const gap = again.nextGap({ lengthMax: 3, taken: (index) => index % 5 === 0 });
        const open = Array.from({ length: count }, (_, index) => index).filter(
          (index) => !set.has(index) && index % 5 !== 0,
        );
        return again.size === set.size && open.every((index) => !map.has(index)) && gap?.first === open[0];
      },
    ),
  );
  test.end();
});
