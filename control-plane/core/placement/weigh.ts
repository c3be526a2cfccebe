import { rank, type PlacementCatalog } from './catalog.ts';
import type { Ledger } from './ledger.ts';
import { sortDescending } from './sort-descending.ts';

/** What an operator may choose about how much things count. */
export interface WeighSettings {
  /** How much more what is held counts than what is not: 0.5 means that a newcomer must be half as popular again. */
  readonly keepBonus: number;
  /**
   * Share of a bundle's popularity that each of its files counts at least: 1 keeps ladders whole where the bundle is worth
   * all of its bytes, since a box with half a ladder is no pathway; 0 looks at each file alone.
   */
  readonly ladderWorth: number;
}

/** A cluster's wishes: what to go through, the most wanted first, and how many viewers' bytes each bundle brings. */
export interface Wishes {
  /** See `wish`: a whole bundle or a file alone, to be kept or to be placed. */
  readonly queue: Uint32Array;
  /** By bundle: popularity × size of its files, summed. */
  readonly demands: Float64Array;
  readonly demandSum: number;
}

/** An entry of the queue in one number: bundles are the items 0 to `bundleCount` - 1, members follow. */
export const wish = {
  of: (item: number, kept: boolean): number => item * 2 + Number(kept),
  item: (entry: number): number => entry >>> 1,
  isKept: (entry: number): boolean => (entry & 1) === 1,
} as const;

/** A box that holds so much of a bundle keeps it; with less it comes new like everything else. */
export const keptShareMin = 0.5;

// What nobody has asked for still has an order: what is held comes first, and stays.
const worthMin = 1e-6;
// A file alone is no pathway: it comes before its ladder only where it is wanted far more and is much of what is wanted.
const aloneRatio = 2;
const aloneDemandShare = 0.1;
// The sign bit of a worth, which has no sign.
const pinnedBit = 0x8000_0000;

/**
 * Puts a cluster's wishes in order. A bundle is worth its popularity: the bytes that viewers want of it ÷ its size. What is
 * held stands in the queue twice: to be kept, worth `keepBonus` more, and to be placed where it could not be kept, worth no
 * more than any other.
 *
 * @param popularity by file: how many times viewers of the site want the whole of it.
 */
export function weigh(
  catalog: PlacementCatalog,
  popularity: Float64Array,
  { ledger, settings }: { ledger: Ledger; settings: WeighSettings },
): Wishes {
  const { bundleCount, memberFiles, starts } = catalog;
  const demands = new Float64Array(bundleCount);
  const wishes = new WishList(2 * (bundleCount + memberFiles.length));
  let demandSum = 0;
  for (let bundle = 0; bundle < bundleCount; bundle++) {
    const demand = demandOf(catalog, popularity, bundle);
    demands[bundle] = demand;
    demandSum += demand;
    const bytes = catalog.bundleBytes[bundle] ?? 0;
    const ladder = bytes === 0 ? 0 : (demand / bytes) * settings.ladderWorth;
    const worth = Math.max(ladder, worthMin);
    const isPinned = catalog.ranks[bundle] === rank.pinned;
    const share = ledger.heldBytesMost(bundle) / Math.max(1, bytes);
    if (share >= keptShareMin) {
      wishes.add(wish.of(bundle, true), worth * (1 + settings.keepBonus * share), isPinned);
    }
    wishes.add(wish.of(bundle, false), worth, isPinned);
    if (isPinned) continue;
    const aloneDemandMin = demand * aloneDemandShare * settings.ladderWorth;
    const end = starts[bundle + 1] ?? 0;
    for (let member = starts[bundle] ?? 0; member < end; member++) {
      if (catalog.goesAlong[member] === 1) continue;
      const file = memberFiles[member] ?? 0;
      const alone = popularity[file] ?? 0;
      if (alone <= aloneRatio * ladder || alone * (catalog.fileBytes[file] ?? 0) < aloneDemandMin) continue;
      if (share > 0 && ledger.held.any(file))
        wishes.add(wish.of(bundleCount + member, true), alone * (1 + settings.keepBonus), false);
      wishes.add(wish.of(bundleCount + member, false), alone, false);
    }
  }
  return { queue: wishes.sorted(), demands, demandSum };
}

function demandOf(
  { starts, memberFiles, fileBytes }: PlacementCatalog,
  popularity: Float64Array,
  bundle: number,
): number {
  let demand = 0;
  const end = starts[bundle + 1] ?? 0;
  for (let member = starts[bundle] ?? 0; member < end; member++) {
    const file = memberFiles[member] ?? 0;
    demand += (popularity[file] ?? 0) * (fileBytes[file] ?? 0);
  }
  return demand;
}

/** Wishes with their worth: its bits as a float, which are in the order of the numbers. */
class WishList {
  readonly #entries: Uint32Array;
  readonly #keys: Uint32Array;
  readonly #worths: Float32Array;
  #length = 0;

  constructor(lengthMax: number) {
    this.#entries = new Uint32Array(lengthMax);
    this.#keys = new Uint32Array(lengthMax);
    this.#worths = new Float32Array(this.#keys.buffer);
  }

  add(entry: number, worth: number, isPinned: boolean): void {
    const at = this.#length++;
    this.#entries[at] = entry;
    this.#worths[at] = worth;
    if (isPinned) this.#keys[at] = (this.#keys[at] ?? 0) | pinnedBit;
  }

  sorted(): Uint32Array {
    const entries = this.#entries.subarray(0, this.#length);
    return sortDescending({ entries, keys: this.#keys.subarray(0, this.#length) });
  }
}
