import { Queue } from './queue.ts';
import type { Capacity, EvictionRule, MayGo } from './rule.ts';
import { none } from './id-index.ts';
import type { Slots } from './slots.ts';

const smallShare = 0.1;
const ghostShare = 0.9;
/** Asked for so often in the small queue, an object moves to the main one. */
const moveAt = 2;
const askedMax = 3;

/**
 * S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023, algorithm 1): new objects go through a small queue,
 * a tenth of the capacity, and most of them no further. What is asked for twice on the way moves to the main queue, where each further
 * request is worth another round; what leaves the small queue stays as a ghost, and goes to the main queue at once when it comes back.
 *
 * Where the paper's text leaves room it is read as its authors' program does: the ghosts are worth 90 % of the capacity in bytes, and the main queue is
 * evicted from while it has more than its share or the small queue is empty.
 */
export function s3fifoRule(slots: Slots, capacity: Capacity): EvictionRule {
  const small = new Queue(slots, 1);
  const main = new Queue(slots, 2);
  const ghosts = new Queue(slots, 3);
  const mainBytesMax = (): number => capacity.bytes - Math.floor(capacity.bytes * smallShare);
  let wasGhost = false;

  const leaveGhost = (slot: number): void => {
    const sizeBytes = slots.sizeOf(slot);
    const ghostBytesMax = Math.floor(capacity.bytes * ghostShare);
    if (sizeBytes > ghostBytesMax) return;
    while (ghosts.bytes + sizeBytes > ghostBytesMax) slots.release(ghosts.takeOldest(undefined));
    ghosts.add(slot);
  };

  const evictSmall = (mayGo: MayGo | undefined): number => {
    for (let left = small.length; left > 0; left--) {
      const slot = small.oldest;
      if ((slots.asked[slot] ?? 0) >= moveAt) {
        small.remove(slot);
        slots.asked[slot] = 0;
        main.add(slot);
      } else if (mayGo === undefined || mayGo(slot)) {
        small.remove(slot);
        leaveGhost(slot);
        return slot;
      } else small.renew(slot);
    }
    return none;
  };

  const evictMain = (mayGo: MayGo | undefined): number => {
    // After `askedMax` rounds nothing has a further round.
    for (let left = (askedMax + 1) * main.length; left > 0; left--) {
      const slot = main.oldest;
      const asked = slots.asked[slot] ?? 0;
      if (asked === 0 && (mayGo === undefined || mayGo(slot))) {
        main.remove(slot);
        return slot;
      }
      if (asked > 0) slots.asked[slot] = asked - 1;
      main.renew(slot);
    }
    return none;
  };

  return {
    hit(slot) {
      const asked = slots.asked[slot] ?? 0;
      if (asked < askedMax) slots.asked[slot] = asked + 1;
    },
    miss(ghost) {
      wasGhost = ghost !== none;
      if (wasGhost) ghosts.remove(ghost);
    },
    insert(slot) {
      slots.asked[slot] = 0;
      (wasGhost ? main : small).add(slot);
    },
    evict(_incomingBytes, mayGo) {
      const isMain = main.bytes > mainBytesMax() || small.length === 0;
      const victim = isMain ? evictMain(mayGo) : evictSmall(mayGo);
      if (victim !== none) return victim;
      return isMain ? evictSmall(mayGo) : evictMain(mayGo);
    },
    remove: (slot) => (main.has(slot) ? main : small).remove(slot),
  };
}
