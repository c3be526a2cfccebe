import { Queue } from './queue.ts';
import type { EvictionRule } from './rule.ts';
import { none } from './id-index.ts';
import { intAt, type Slots } from './slots.ts';

/**
 * SIEVE (Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024, algorithm 1): a queue whose hand goes from the oldest to the newest and
 * begins again. It spares what was asked for since it last came by, which stays where it is, and evicts what was not.
 */
export function sieveRule(slots: Slots): EvictionRule {
  const queue = new Queue(slots, 1);
  /** Where the next search begins; `none` for the oldest. */
  let hand = none;
  return {
    hit(slot) {
      slots.asked[slot] = 1;
    },
    insert(slot) {
      slots.asked[slot] = 0;
      queue.add(slot);
    },
    evict(_incomingBytes, mayGo) {
      let slot = hand === none ? queue.oldest : hand;
      // After one round nothing counts as asked for.
      for (let left = 2 * queue.length; left > 0; left--) {
        if (slots.asked[slot] === 0 && (mayGo === undefined || mayGo(slot))) {
          hand = intAt(slots.newer, slot);
          queue.remove(slot);
          return slot;
        }
        slots.asked[slot] = 0;
        slot = queue.nextRound(slot);
      }
      return none;
    },
    remove(slot) {
      if (slot === hand) hand = intAt(slots.newer, slot);
      queue.remove(slot);
    },
  };
}
