import type { CacheObject, EvictionRule } from './rule.ts';
import { SlotHeap } from './slot-heap.ts';

/**
 * Belady's MIN ("A study of replacement algorithms for a virtual-storage computer", 1966): what is asked for farthest in the future goes
 * first. For objects of one size no policy that takes in every object has fewer misses; for others it is a good mark and no bound.
 */
export function beladyRule(): EvictionRule {
  const heap = new SlotHeap();
  const rank = (slot: number, { nextAccess = Infinity }: Pick<CacheObject, 'nextAccess'>): void =>
    heap.set(slot, -nextAccess);
  return {
    hit: rank,
    insert: rank,
    evict: (_incomingBytes, mayGo) => heap.takeLowest(mayGo),
    remove: (slot) => heap.remove(slot),
  };
}
