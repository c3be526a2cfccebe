import { Queue } from './queue.ts';
import type { EvictionRule } from './rule.ts';
import { none } from './id-index.ts';
import type { Slots } from './slots.ts';

/**
 * CLOCK with one bit (Corbató, "A paging experiment with the Multics system", 1968), as a queue: the hand is at its oldest. An object that
 * was asked for since the hand last met it gets a second round, without the bit.
 */
export function clockRule(slots: Slots): EvictionRule {
  const queue = new Queue(slots, 1);
  return {
    hit(slot) {
      slots.asked[slot] = 1;
    },
    insert(slot) {
      slots.asked[slot] = 0;
      queue.add(slot);
    },
    evict(_incomingBytes, mayGo) {
      // After one round no bit is set.
      for (let left = 2 * queue.length; left > 0; left--) {
        const slot = queue.oldest;
        if (slots.asked[slot] === 0 && (mayGo === undefined || mayGo(slot))) {
          queue.remove(slot);
          return slot;
        }
        slots.asked[slot] = 0;
        queue.renew(slot);
      }
      return none;
    },
    remove: (slot) => queue.remove(slot),
  };
}
