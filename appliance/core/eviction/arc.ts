import { Queue } from './queue.ts';
import type { Capacity, EvictionRule, MayGo } from './rule.ts';
import { none } from './id-index.ts';
import type { Slots } from './slots.ts';

/** A bound for memory that no traffic of mixed sizes came near: at most 9 ghosts for each object were met. */
const ghostsPerHeldMax = 64;

/**
 * ARC (Megiddo and Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003, figure 4). T1 holds what was asked for once
 * lately, T2 what was more often, B1 and B2 are the ghosts of each; a hit on a ghost moves `p`, the part of the capacity that T1 should have. The
 * paper's pages are bytes here, and one ghost at most is forgotten for each victim.
 */
export function arcRule(slots: Slots, capacity: Capacity): EvictionRule {
  const t1 = new Queue(slots, 1);
  const t2 = new Queue(slots, 2);
  const b1 = new Queue(slots, 3);
  const b2 = new Queue(slots, 4);
  let p = 0;
  let wasIn: 'b1' | 'b2' | 'neither' = 'neither';

  const forgetOldest = (ghosts: Queue): void => slots.release(ghosts.takeOldest(undefined));

  const evictTo = (queue: Queue, ghosts: Queue, mayGo: MayGo | undefined): number => {
    const victim = queue.takeOldest(mayGo);
    if (victim !== none) ghosts.add(victim);
    return victim;
  };

  /** REPLACE of the paper. */
  const replace = (mayGo: MayGo | undefined): number => {
    const isT1 = t1.length > 0 && (t1.bytes > p || (t1.bytes === p && wasIn === 'b2'));
    const victim = isT1 ? evictTo(t1, b1, mayGo) : evictTo(t2, b2, mayGo);
    if (victim !== none) return victim;
    return isT1 ? evictTo(t2, b2, mayGo) : evictTo(t1, b1, mayGo);
  };

  return {
    hit(slot) {
      if (t2.has(slot)) return t2.renew(slot);
      t1.remove(slot);
      t2.add(slot);
    },
    miss(ghost) {
      wasIn = ghost === none ? 'neither' : b1.has(ghost) ? 'b1' : 'b2';
      if (wasIn === 'b1') {
        p = Math.min(p + Math.max(b2.bytes / b1.bytes, 1), capacity.bytes);
        b1.remove(ghost);
      } else if (wasIn === 'b2') {
        p = Math.max(p - Math.max(b1.bytes / b2.bytes, 1), 0);
        b2.remove(ghost);
      }
    },
    insert(slot) {
      (wasIn === 'neither' ? t1 : t2).add(slot);
      // Of pages of one size the paper's steps keep no more ghosts than pages. Where sizes differ, they may gather.
      while (b1.length + b2.length > ghostsPerHeldMax * (t1.length + t2.length)) {
        forgetOldest(b1.length > b2.length ? b1 : b2);
      }
    },
    evict(incomingBytes, mayGo) {
      if (wasIn !== 'neither') return replace(mayGo);
      // Case IV of the paper: the object is new.
      if (t1.bytes + b1.bytes + incomingBytes > capacity.bytes) {
        if (b1.length === 0) {
          const victim = t1.takeOldest(mayGo);
          if (victim !== none) return victim;
        } else forgetOldest(b1);
      } else if (t1.bytes + b1.bytes + t2.bytes + b2.bytes >= 2 * capacity.bytes && b2.length > 0) {
        forgetOldest(b2);
      }
      return replace(mayGo);
    },
    remove: (slot) => (t1.has(slot) ? t1 : t2).remove(slot),
  };
}
