import fc from 'fast-check';
import t from 'tap';

import { IdIndex, none } from '../../../../appliance/core/eviction/id-index.ts';
import type { ObjectId } from '../../../../appliance/core/eviction/rule.ts';
import { pick, seededRandom } from '../../../support/seeded.ts';

t.test('it is a Map, whatever the ids are', async () => {
  const id = fc.oneof(
    fc.nat(40),
    fc.constantFrom<ObjectId>(
      '1',
      'film',
      1n,
      2n ** 60n,
      0,
      -0,
      -1,
      0.5,
      NaN,
      Infinity,
      2 ** 52,
      2 ** 32,
      5e-324,
    ),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('set', 'set', 'delete'), id), { maxLength: 300 }),
      (actions) => {
        const [index, map] = [new IdIndex(), new Map<ObjectId, number>()];
        actions.forEach(([verb, key], slot) => {
          if (verb === 'set') {
            index.set(key, slot);
            map.set(key, slot);
          } else {
            index.delete(key);
            map.delete(key);
          }
          for (const [, known] of actions)
            if (index.get(known) !== (map.get(known) ?? none)) throw new Error(`${typeof known} ${known}`);
        });
      },
    ),
    { numRuns: 200 },
  );
});

t.test('many come and go, and it grows', async (t) => {
  const random = seededRandom(11);
  const [index, map] = [new IdIndex(), new Map<number, number>()];
  for (let round = 0; round < 200_000; round++) {
    const id = pick(random, 30_000) * 2 ** pick(random, 30);
    if (random() < 0.4) {
      index.delete(id);
      map.delete(id);
    } else {
      index.set(id, round);
      map.set(id, round);
    }
  }
  let wrong = 0;
  for (const [id, slot] of map) if (index.get(id) !== slot) wrong++;
  for (let id = 0; id < 30_000; id++) if (index.get(id) !== (map.get(id) ?? none)) wrong++;
  t.equal(wrong, 0);
});
