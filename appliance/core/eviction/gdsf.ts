import type { EvictionRule } from './rule.ts';
import { SlotHeap } from './slot-heap.ts';
import type { Slots } from './slots.ts';

/** Cost of a miss, the same for every object. Its value is only a matter of rounding; this one is libCacheSim's, so that counts can be compared. */
const cost = 1e6;

/**
 * GDSF (Arlitt, Cherkasova et al., "Evaluating content management techniques for Web proxy caches", 2000): the least of
 * `age + times asked for × cost ÷ size` goes first, and `age` is then that value, so that what was popular long ago grows old.
 */
export function gdsfRule(slots: Slots): EvictionRule {
  const heap = new SlotHeap();
  const asked: number[] = [];
  let age = 0;
  const rank = (slot: number, times: number): void => {
    asked[slot] = times;
    heap.set(slot, age + (times * cost) / slots.sizeOf(slot));
  };
  return {
    hit: (slot) => rank(slot, (asked[slot] ?? 0) + 1),
    insert: (slot) => rank(slot, 1),
    evict(_incomingBytes, mayGo) {
      const victim = heap.takeLowest(mayGo);
      if (victim >= 0) age = heap.keyOf(victim);
      return victim;
    },
    remove: (slot) => heap.remove(slot),
  };
}
