import fc from 'fast-check';
import t from 'tap';
import { sortDescending } from '../../../../control-plane/core/placement/sort-descending.ts';

t.test('sorts by key, the largest first, and leaves equals in their order', async (t) => {
  const key = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 5 }));
  fc.assert(
    fc.property(fc.array(key, { maxLength: 300 }), (keys) => {
      const entries = Uint32Array.from(keys, (_, index) => index);
      const expected = [...entries].sort((a, b) => keys[b]! - keys[a]! || a - b);
      const sorted = sortDescending({ entries, keys: Uint32Array.from(keys) });
      return JSON.stringify([...sorted]) === JSON.stringify(expected);
    }),
  );
  t.pass('holds');
});
