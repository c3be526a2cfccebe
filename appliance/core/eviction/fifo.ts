import { Queue } from './queue.ts';
import type { EvictionRule } from './rule.ts';
import type { Slots } from './slots.ts';

/** First in, first out: what came first goes first, however often it is asked for. */
export function fifoRule(slots: Slots): EvictionRule {
  const queue = new Queue(slots, 1);
  return {
    hit: () => undefined,
    insert: (slot) => queue.add(slot),
    evict: (_incomingBytes, mayGo) => queue.takeOldest(mayGo),
    remove: (slot) => queue.remove(slot),
  };
}
