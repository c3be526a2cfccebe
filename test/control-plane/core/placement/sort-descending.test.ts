import fc from 'fast-check';
import t from 'tap';
import { sortDescending } from '../../../../control-plane/core/placement/sort-descending.ts';

t.test(
  'sorts by the upper 15 bits of keys, the largest first, and leaves equals in their order',
  async (t) => {
    const near = fc.integer({ min: 0, max: 5_000_000 });
    const key = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), near);
    fc.assert(
      fc.property(fc.array(key, { maxLength: 300 }), (keys) => {
        const entries = Uint32Array.from(keys, (_, index) => index);
        const upper = (index: number): number => keys[index]! >>> 17;
        const expected = [...entries].sort((a, b) => upper(b) - upper(a) || a - b);
        const sorted = sortDescending({ entries, keys: Uint32Array.from(keys) });
        return JSON.stringify([...sorted]) === JSON.stringify(expected);
      }),
      { examples: [[[0xffff_ffff, 0, 0xffff_ffff, 0]]] },
    );
    t.pass('holds');
  },
);
