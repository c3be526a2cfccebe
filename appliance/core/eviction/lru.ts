import { Queue } from './queue.ts';
import type { EvictionRule } from './rule.ts';
import type { Slots } from './slots.ts';

/** Least recently used: what was not asked for the longest goes first. */
export function lruRule(slots: Slots): EvictionRule {
  const queue = new Queue(slots, 1);
  return {
    hit: (slot) => queue.renew(slot),
    insert: (slot) => queue.add(slot),
    evict: (_incomingBytes, mayGo) => queue.takeOldest(mayGo),
    remove: (slot) => queue.remove(slot),
  };
}
