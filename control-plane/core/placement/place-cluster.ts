import { BoxMask } from './box-mask.ts';
import { BoxOrders, type OrderedBox } from './box-orders.ts';
import { rank, type PlacementCatalog } from './catalog.ts';
import { ClusterRoom } from './cluster-room.ts';
import { Ledger } from './ledger.ts';
import { PlacedList, placedWhys, type PlacedFiles } from './placed-list.ts';
import { keptShareMin, weigh, wish, type WeighSettings, type Wishes } from './weigh.ts';
import { WishBlock } from './wish-block.ts';

/** A box of a cluster. */
export interface ClusterBox extends OrderedBox {
  /** Bytes that may newly be added; what is pinned or urgent is not counted. */
  readonly churnBytes: number;
  /** Numbers of the files that are on its disks or on their way there. */
  readonly held: Iterable<number>;
}

/** What is to be placed in one cluster. */
export interface ClusterProblem {
  /** In the order of their ids, since equals keep it. */
  readonly boxes: readonly ClusterBox[];
  /** By file: how many times viewers of the site want the whole of it. */
  readonly popularity: Float64Array;
  readonly settings: ClusterSettings;
}

/** What an operator may choose. */
export interface ClusterSettings extends WeighSettings {
  /** Copies of every bundle once each bundle that fits has one; the pinned have them at once. */
  readonly copiesMin: number;
}

/** What a cluster is to hold. */
export interface ClusterPlacement {
  readonly boxes: readonly PlacedFiles[];
  readonly ledger: Ledger;
  readonly wishes: Wishes;
  /** By bundle: 1 where the churn budget kept a copy from a box that had room for it. */
  readonly churnBlocked: Uint8Array;
  /** By box. */
  readonly freeBytes: Float64Array;
  readonly churnLeftBytes: Float64Array;
}

/**
 * Places the files of all bundles in one cluster (algorithms: fill planning, steps 2 and 3). Greedy through the wishes: each
 * bundle gets as many copies as its share of the demand needs boxes, then, while there is room, up to `copiesMin`. A copy
 * is a whole ladder on one box, or nothing of it that was not held; files that are wanted alone come one by one, each with what goes along.
 */
export function placeCluster(catalog: PlacementCatalog, problem: ClusterProblem): ClusterPlacement {
  return new Sweep(catalog, problem).run();
}

// A box has several bundles: it must be able to take two of the hottest without being the cluster's bottleneck.
const copyLoadMax = 0.5;

/** Copies so that none carries more than half of a box's share of the demand, at least 1. */
export function copiesByDemand(demand: number, cluster: { demandSum: number; boxCount: number }): number {
  if (cluster.demandSum <= 0) return 1;
  const exact = (cluster.boxCount * demand) / cluster.demandSum / copyLoadMax;
  // Two halves of the demand on two boxes must not become five copies by a rounding error.
  return Math.min(cluster.boxCount, Math.max(1, Math.ceil(exact - 1e-9)));
}

class Sweep {
  readonly #catalog: PlacementCatalog;
  readonly #problem: ClusterProblem;
  readonly #boxCount: number;
  readonly #ledger: Ledger;
  readonly #wishes: Wishes;
  readonly #orders: BoxOrders;
  readonly #lists: readonly PlacedList[];
  readonly #room: ClusterRoom;
  /** Wishes for whole bundles, in the order of the queue. */
  readonly #ladders: Uint32Array;
  #ladderCount = 0;
  /** By bundle: whether the first pass has placed all of its copies. */
  readonly #isDone: Uint8Array;
  /** By bundle: whether a file of it may need several copies. */
  readonly #isHot: Uint8Array;
  /** On which boxes all stands that goes along with a bundle's renditions. */
  readonly #along: BoxMask;
  /** Why files are put that are put one by one: see `placedWhys`. */
  #why = 0;
  readonly #demand: { readonly demandSum: number; readonly boxCount: number };

  constructor(catalog: PlacementCatalog, problem: ClusterProblem) {
    const { boxes, popularity, settings } = problem;
    this.#catalog = catalog;
    this.#problem = problem;
    this.#boxCount = boxes.length;
    this.#ledger = new Ledger(
      catalog,
      boxes.map(({ held }) => held),
    );
    const wishes = weigh(catalog, popularity, { ledger: this.#ledger, settings });
    this.#wishes = wishes;
    this.#demand = { demandSum: wishes.demandSum, boxCount: boxes.length };
    const usableBytes = boxes.reduce((sum, box) => sum + box.usableBytes, 0);
    const isHead = (bundle: number): boolean =>
      (wishes.demands[bundle] ?? 0) * usableBytes > wishes.demandSum * (catalog.bundleBytes[bundle] ?? 0);
    this.#orders = new BoxOrders(catalog, { boxes, ledger: this.#ledger, isHead });
    this.#lists = boxes.map(() => new PlacedList());
    this.#room = new ClusterRoom(catalog, boxes);
    // To be kept, and to be placed.
    this.#ladders = new Uint32Array(2 * catalog.bundleCount);
    this.#isDone = new Uint8Array(catalog.bundleCount);
    this.#isHot = new Uint8Array(catalog.bundleCount);
    wishes.demands.forEach((demand, bundle) => {
      if (copiesByDemand(demand * (1 + settings.keepBonus), this.#demand) > 1) this.#isHot[bundle] = 1;
    });
    this.#along = new BoxMask({ fileCount: catalog.bundleCount, boxCount: boxes.length });
  }

  run(): ClusterPlacement {
    this.#placeAll();
    const spares = Math.min(this.#boxCount, this.#problem.settings.copiesMin);
    if (spares > 1) this.#placeSpares(spares);
    const { freeBytes, churnLeftBytes, churnBlocked } = this.#room;
    return {
      boxes: this.#lists.map((list) => list.close()),
      ...{ ledger: this.#ledger, wishes: this.#wishes, churnBlocked, freeBytes, churnLeftBytes },
    };
  }

  #placeAll(): void {
    const { queue } = this.#wishes;
    const { bundleCount } = this.#catalog;
    const block = new WishBlock(this.#catalog, { ledger: this.#ledger, isHot: this.#isHot });
    for (let from = 0; from < queue.length;) {
      const freeMostBytes = this.#room.countFreeMost();
      from = block.take(queue, from, { freeMostBytes, keptOnly: this.#room.isClosed });
      for (let at = 0; at < block.length; at++) {
        const entry = block.entries[at] ?? 0;
        if (wish.item(entry) < bundleCount) this.#placeBundle(entry);
        else this.#placeAlone(block, at);
      }
    }
  }

  #placeBundle(entry: number): void {
    const bundle = wish.item(entry);
    const kept = wish.isKept(entry);
    this.#ladders[this.#ladderCount++] = entry;
    const copies = this.#copiesOf(bundle, kept);
    if (kept) this.#keepLadder(bundle, copies);
    else this.#isDone[bundle] = Number(this.#placeLadder(bundle, copies, this.#whyOf(bundle)));
  }

  #placeSpares(copies: number): void {
    for (const entry of this.#ladders.subarray(0, this.#ladderCount)) {
      const item = wish.item(entry);
      // What found no room before finds none now.
      if (this.#isDone[item] === 0) continue;
      if (wish.isKept(entry)) this.#keepLadder(item, copies);
      else this.#placeLadder(item, copies, placedWhys.spare);
    }
  }

  /** How many copies a bundle gets at first. Those that stand stay until there are too many by the keep-bonus. */
  #copiesOf(bundle: number, kept: boolean): number {
    const { settings } = this.#problem;
    const bonus = kept ? 1 + settings.keepBonus : 1;
    const copies = copiesByDemand((this.#wishes.demands[bundle] ?? 0) * bonus, this.#demand);
    return this.#isPinned(bundle) ? Math.max(copies, settings.copiesMin) : copies;
  }

  /**
   * Plans a ladder on up to so many of the boxes that hold most of it, with what is missing there as far as the churn budget
   * goes: without that the rest is no pathway. Where there is no room for all of it nothing of it is kept.
   */
  #keepLadder(bundle: number, copies: number): void {
    if (this.#ledger.wholes(bundle) >= copies || !this.#mayFit(bundle)) return;
    const why = this.#isPinned(bundle) ? placedWhys.pinned : placedWhys.kept;
    const heldBytesMin = (this.#catalog.bundleBytes[bundle] ?? 0) * keptShareMin;
    let holders = 0;
    for (let box = 0; box < this.#boxCount; box++)
      if (this.#ledger.heldBytes(bundle, box) >= heldBytesMin) holders++;
    // Their order matters only where some are to be left out: mostly it need not be made.
    const start = holders > copies ? this.#orders.startOf(bundle) : undefined;
    let kept = 0;
    for (let at = 0; at < this.#boxCount && kept < copies; at++) {
      const box = start === undefined ? at : (this.#orders.boxes[start + at] ?? 0);
      if (this.#ledger.heldBytes(bundle, box) < heldBytesMin) continue;
      if (!this.#room.fits(this.#ledger.missingBytes(bundle, box), box)) continue;
      if (this.#ledger.isWhole(bundle, box)) {
        kept++;
        continue;
      }
      if (this.#room.mayAdd(bundle, box, this.#ledger.newBytes(bundle, box)))
        this.#putLadder(bundle, box, why);
      else this.#putMembers(bundle, { box, why, heldOnly: true });
      kept++;
    }
  }

  /** Completes whole ladders on up to so many boxes; says whether so many stand. */
  #placeLadder(bundle: number, copies: number, why: number): boolean {
    if (this.#isHopeless(bundle)) return false;
    const wholes = this.#ledger.wholes(bundle);
    if (wholes >= copies) return true;
    if (!this.#mayFit(bundle)) return false;
    const start = this.#orders.startOf(bundle);
    let standing = 0;
    for (let at = start; at < start + this.#boxCount && standing < copies; at++) {
      const box = this.#orders.boxes[at] ?? 0;
      if (wholes > 0 && this.#ledger.isWhole(bundle, box)) {
        standing++;
        continue;
      }
      if (!this.#room.fits(this.#ledger.missingBytes(bundle, box), box)) continue;
      if (this.#room.mayAdd(bundle, box, this.#ledger.newBytes(bundle, box))) {
        this.#putLadder(bundle, box, why);
        standing++;
      } else if (this.#begin(bundle, box, why)) standing++;
    }
    return standing >= copies;
  }

  /**
   * What the churn budget cuts short stays where it has begun in another night. The first of a night begins even where the
   * budget is too small for all of it: it would else never come. Says whether some of the bundle is on the box.
   */
  #begin(bundle: number, box: number, why: number): boolean {
    if (this.#room.mayBegin(box)) this.#putMembers(bundle, { box, why, heldOnly: false });
    return this.#ledger.isBegun(bundle, box);
  }

  #placeAlone(block: WishBlock, at: number): void {
    const kept = wish.isKept(block.entries[at] ?? 0);
    const bytes = block.bytes[at] ?? 0;
    if (!kept && (this.#room.isClosed || !this.#room.hasFree(bytes))) return;
    const file = block.files[at] ?? 0;
    const { held, placed } = this.#ledger;
    let copies = this.#copiesAlone(block, at) - placed.count(file);
    if (copies <= 0) return;
    this.#why = kept ? placedWhys.kept : placedWhys.alone;
    const isOrdered = !kept || (block.holders[at] ?? 0) > copies;
    const start = isOrdered ? this.#orders.startOf(block.bundles[at] ?? 0) : 0;
    for (let next = 0; next < this.#boxCount && copies > 0; next++) {
      const box = isOrdered ? (this.#orders.boxes[start + next] ?? 0) : next;
      if (!this.#room.fits(bytes, box) || placed.has(file, box) || (kept && !held.has(file, box))) continue;
      if (this.#putAlone(block, at, box)) copies--;
    }
    if (copies <= 0 && block.isHot[at] === 0) block.finish(at);
  }

  #copiesAlone(block: WishBlock, at: number): number {
    if (block.isHot[at] === 0) return 1;
    const { popularity, settings } = this.#problem;
    const demand = (popularity[block.files[at] ?? 0] ?? 0) * (block.bytes[at] ?? 0);
    const bonus = wish.isKept(block.entries[at] ?? 0) ? 1 + settings.keepBonus : 1;
    return copiesByDemand(demand * bonus, this.#demand);
  }

  /**
   * Plans a file that fits with what goes along, where there is room for all of it and the churn budget reaches; what is held stays though
   * there is too little for what should go along. Says whether the file is planned.
   */
  #putAlone(block: WishBlock, at: number, box: number): boolean {
    const file = block.files[at] ?? 0;
    const bundle = block.bundles[at] ?? 0;
    if (!this.#along.has(bundle, box)) return this.#putWithAlong(block, at, box);
    if (!this.#ledger.held.has(file, box) && !this.#room.mayAdd(bundle, box, block.bytes[at] ?? 0))
      return false;
    this.#put(file, bundle, box);
    return true;
  }

  /** The first rendition of a bundle on a box. In the order of the members, which is that of fill. */
  #putWithAlong(block: WishBlock, at: number, box: number): boolean {
    const file = block.files[at] ?? 0;
    const bundle = block.bundles[at] ?? 0;
    const bytes = block.bytes[at] ?? 0;
    const takesAll = this.#takesAll(block, at, box);
    const { held, placed } = this.#ledger;
    if (!takesAll && !held.has(file, box)) return false;
    const { alongStarts, alongMembers, alongFiles, alongBytes, bundleCount } = this.#catalog;
    const end = alongStarts[bundle + 1] ?? 0;
    let left = 1;
    for (let next = alongStarts[bundle] ?? 0; next < end; next++) {
      const member = alongMembers[next] ?? 0;
      if (left === 1 && member > wish.item(block.entries[at] ?? 0) - bundleCount) {
        this.#put(file, bundle, box);
        left = 0;
      }
      const other = alongFiles[next] ?? 0;
      if (placed.has(other, box)) continue;
      const stays = held.has(other, box) && this.#room.fits((alongBytes[next] ?? 0) + left * bytes, box);
      if (takesAll || stays) this.#put(other, bundle, box);
    }
    if (left === 1) this.#put(file, bundle, box);
    if (takesAll) this.#along.add(bundle, box);
    return true;
  }

  /** Whether a file may come to a box with all that goes along. */
  #takesAll(block: WishBlock, at: number, box: number): boolean {
    const file = block.files[at] ?? 0;
    const bundle = block.bundles[at] ?? 0;
    const { alongStarts, alongFiles, alongBytes } = this.#catalog;
    const { held, placed } = this.#ledger;
    let bytes = block.bytes[at] ?? 0;
    let newBytes = held.has(file, box) ? 0 : bytes;
    const end = alongStarts[bundle + 1] ?? 0;
    for (let next = alongStarts[bundle] ?? 0; next < end; next++) {
      const other = alongFiles[next] ?? 0;
      if (placed.has(other, box)) continue;
      bytes += alongBytes[next] ?? 0;
      if (!held.has(other, box)) newBytes += alongBytes[next] ?? 0;
    }
    return this.#room.fits(bytes, box) && this.#room.mayAdd(bundle, box, newBytes);
  }

  /** Plans all that is missing of a bundle on a box. */
  #putLadder(bundle: number, box: number, why: number): void {
    const { starts, memberFiles, bundleBytes, isShared } = this.#catalog;
    if (isShared[bundle] === 1 || this.#ledger.isBegun(bundle, box)) {
      this.#putMembers(bundle, { box, why, heldOnly: false });
      return;
    }
    const newBytes = this.#ledger.newBytes(bundle, box);
    this.#ledger.placeWhole(bundle, box);
    this.#room.take(box, bundleBytes[bundle] ?? 0);
    this.#room.spend(bundle, box, newBytes);
    this.#lists[box]?.addAll(memberFiles.subarray(starts[bundle], starts[bundle + 1]), { bundle, why });
  }

  #putMembers(bundle: number, { box, why, heldOnly }: { box: number; why: number; heldOnly: boolean }): void {
    const { starts, memberFiles, fileBytes } = this.#catalog;
    this.#why = why;
    const end = starts[bundle + 1] ?? 0;
    for (let member = starts[bundle] ?? 0; member < end; member++) {
      const file = memberFiles[member] ?? 0;
      if (this.#ledger.placed.has(file, box)) continue;
      const isNew = !this.#ledger.held.has(file, box);
      if (isNew && (heldOnly || !this.#room.mayAdd(bundle, box, fileBytes[file] ?? 0))) continue;
      this.#put(file, bundle, box);
    }
  }

  #put(file: number, bundle: number, box: number): void {
    const bytes = this.#catalog.fileBytes[file] ?? 0;
    this.#ledger.place(file, bundle, box);
    this.#room.take(box, bytes);
    if (!this.#ledger.held.has(file, box)) this.#room.spend(bundle, box, bytes);
    this.#lists[box]?.add(file, bundle, this.#why);
  }

  /**
   * Where files are wanted alone, most of what is left has neither its largest file on any box nor room for it: said without a look at the
   * rest of it. Whole ladders are looked at as wholes.
   */
  #isHopeless(bundle: number): boolean {
    if (this.#problem.settings.ladderWorth > 0) return false;
    const largest = this.#catalog.largestFiles[bundle] ?? 0;
    return !this.#room.hasFree(this.#catalog.fileBytes[largest] ?? 0) && !this.#ledger.placed.any(largest);
  }

  /** Whether there is a box with room for what it lacks of a bundle. */
  #mayFit(bundle: number): boolean {
    if (!this.#ledger.hasParts(bundle)) return this.#room.hasFree(this.#catalog.bundleBytes[bundle] ?? 0);
    for (let box = 0; box < this.#boxCount; box++) {
      const bytes = this.#ledger.missingBytes(bundle, box);
      if (this.#room.fits(bytes, box) && !this.#ledger.isWhole(bundle, box)) return true;
    }
    return false;
  }

  #isPinned(bundle: number): boolean {
    return this.#catalog.ranks[bundle] === rank.pinned;
  }

  #whyOf(bundle: number): number {
    if (this.#isPinned(bundle)) return placedWhys.pinned;
    return this.#room.isExempt(bundle) ? placedWhys.urgent : placedWhys.popular;
  }
}
