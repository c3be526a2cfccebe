import { BoxOrders, type OrderedBox } from './box-orders.ts';
import { rank, type PlacementCatalog } from './catalog.ts';
import { Ledger } from './ledger.ts';
import { PlacedList, placedWhys, type PlacedFiles } from './placed-list.ts';
import { keptShareMin, weigh, wish, type WeighSettings, type Wishes } from './weigh.ts';

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
  readonly #free: Float64Array;
  readonly #churnLeft: Float64Array;
  readonly #churnBlocked: Uint8Array;
  /** By box: what is wanted more has found the churn budget too small. What is left is for that, and not for what happens to be small. */
  readonly #isChurnOver: Uint8Array;
  /** By bundle: whether the first pass has placed all of its copies. */
  readonly #isDone: Uint8Array;
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
    this.#free = Float64Array.from(boxes, (box) => box.usableBytes);
    this.#churnLeft = Float64Array.from(boxes, (box) => box.churnBytes);
    this.#churnBlocked = new Uint8Array(catalog.bundleCount);
    this.#isChurnOver = new Uint8Array(boxes.length);
    this.#isDone = new Uint8Array(catalog.bundleCount);
  }

  run(): ClusterPlacement {
    for (const entry of this.#wishes.queue) this.#placeWish(entry);
    const spares = Math.min(this.#boxCount, this.#problem.settings.copiesMin);
    if (spares > 1) for (const entry of this.#wishes.queue) this.#placeSpare(entry, spares);
    return {
      boxes: this.#lists.map((list) => list.close()),
      ledger: this.#ledger,
      wishes: this.#wishes,
      churnBlocked: this.#churnBlocked,
      freeBytes: this.#free,
      churnLeftBytes: this.#churnLeft,
    };
  }

  #placeWish(entry: number): void {
    const item = wish.item(entry);
    const { bundleCount } = this.#catalog;
    if (item >= bundleCount) {
      this.#placeAlone(item - bundleCount, wish.isKept(entry));
      return;
    }
    const copies = this.#copiesOf(item, wish.isKept(entry));
    if (wish.isKept(entry)) this.#keepLadder(item, copies);
    else this.#isDone[item] = Number(this.#placeLadder(item, copies, this.#whyOf(item)));
  }

  #placeSpare(entry: number, copies: number): void {
    const item = wish.item(entry);
    // What found no room before finds none now.
    if (item >= this.#catalog.bundleCount || this.#isDone[item] === 0) return;
    if (wish.isKept(entry)) this.#keepLadder(item, copies);
    else this.#placeLadder(item, copies, placedWhys.spare);
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
      if (this.#ledger.missingBytes(bundle, box) > (this.#free[box] ?? 0)) continue;
      if (this.#ledger.isWhole(bundle, box)) {
        kept++;
        continue;
      }
      if (this.#mayAdd(bundle, box, this.#ledger.newBytes(bundle, box))) this.#putLadder(bundle, box, why);
      else this.#putMembers(bundle, { box, why, heldOnly: true });
      kept++;
    }
  }

  /** Completes whole ladders on up to so many boxes; says whether so many stand. */
  #placeLadder(bundle: number, copies: number, why: number): boolean {
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
      if (this.#ledger.missingBytes(bundle, box) > (this.#free[box] ?? 0)) continue;
      if (this.#mayAdd(bundle, box, this.#ledger.newBytes(bundle, box))) {
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
    const left = this.#churnLeft[box] ?? 0;
    const isFirst = left > 0 && left === this.#problem.boxes[box]?.churnBytes;
    if (isFirst) {
      this.#isChurnOver[box] = 0;
      this.#putMembers(bundle, { box, why, heldOnly: false });
    }
    return this.#ledger.isBegun(bundle, box);
  }

  #placeAlone(member: number, kept: boolean): void {
    const { memberFiles, memberBundles, fileBytes } = this.#catalog;
    const file = memberFiles[member] ?? 0;
    const bundle = memberBundles[member] ?? 0;
    const bytes = fileBytes[file] ?? 0;
    if (!kept && !this.#hasRoom(bytes)) return;
    const { popularity, settings } = this.#problem;
    const demand = (popularity[file] ?? 0) * bytes * (kept ? 1 + settings.keepBonus : 1);
    let copies = copiesByDemand(demand, this.#demand);
    const start = this.#orders.startOf(bundle);
    for (let at = start; at < start + this.#boxCount && copies > 0; at++) {
      const box = this.#orders.boxes[at] ?? 0;
      if (kept && !this.#ledger.held.has(file, box)) continue;
      if (this.#ledger.placed.has(file, box)) copies--;
      else if (this.#putAlone(member, box, kept ? placedWhys.kept : placedWhys.alone)) copies--;
    }
  }

  /**
   * Plans a file of a bundle with what goes along, where there is room for all of it and the churn budget reaches; what is held stays though
   * the budget does not reach for what should go along. Says whether the file is planned.
   */
  #putAlone(member: number, box: number, why: number): boolean {
    const { starts, memberBundles, memberFiles, fileBytes, goesAlong } = this.#catalog;
    const bundle = memberBundles[member] ?? 0;
    const keeps = this.#ledger.held.has(memberFiles[member] ?? 0, box);
    const put: number[] = [];
    let bytes = 0;
    let newBytes = 0;
    const end = starts[bundle + 1] ?? 0;
    for (let other = starts[bundle] ?? 0; other < end; other++) {
      if (other !== member && goesAlong[other] !== 1) continue;
      const file = memberFiles[other] ?? 0;
      if (this.#ledger.placed.has(file, box)) continue;
      const ownBytes = fileBytes[file] ?? 0;
      const addedBytes = this.#ledger.held.has(file, box) ? 0 : ownBytes;
      if (keeps && addedBytes > 0 && !this.#mayAdd(bundle, box, newBytes + addedBytes)) continue;
      put.push(other);
      bytes += ownBytes;
      newBytes += addedBytes;
    }
    if (bytes > (this.#free[box] ?? 0)) return false;
    if (!keeps && !this.#mayAdd(bundle, box, newBytes)) return false;
    for (const one of put) this.#put(one, box, why);
    return true;
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
    this.#free[box] = (this.#free[box] ?? 0) - (bundleBytes[bundle] ?? 0);
    if (!this.#isExempt(bundle)) this.#churnLeft[box] = (this.#churnLeft[box] ?? 0) - newBytes;
    this.#lists[box]?.addAll(memberFiles.subarray(starts[bundle], starts[bundle + 1]), { bundle, why });
  }

  #putMembers(bundle: number, { box, why, heldOnly }: { box: number; why: number; heldOnly: boolean }): void {
    const { starts, memberFiles, fileBytes } = this.#catalog;
    const end = starts[bundle + 1] ?? 0;
    for (let member = starts[bundle] ?? 0; member < end; member++) {
      const file = memberFiles[member] ?? 0;
      if (this.#ledger.placed.has(file, box)) continue;
      const isNew = !this.#ledger.held.has(file, box);
      if (isNew && (heldOnly || !this.#mayAdd(bundle, box, fileBytes[file] ?? 0))) continue;
      this.#put(member, box, why);
    }
  }

  #put(member: number, box: number, why: number): void {
    const { memberFiles, memberBundles, fileBytes } = this.#catalog;
    const file = memberFiles[member] ?? 0;
    const bundle = memberBundles[member] ?? 0;
    const bytes = fileBytes[file] ?? 0;
    this.#ledger.place(file, box);
    this.#free[box] = (this.#free[box] ?? 0) - bytes;
    if (!this.#ledger.held.has(file, box) && !this.#isExempt(bundle))
      this.#churnLeft[box] = (this.#churnLeft[box] ?? 0) - bytes;
    this.#lists[box]?.add({ file, bundle, why });
  }

  /** Whether the churn budget lets so many bytes of a bundle come to a box; keeps in mind where it does not. */
  #mayAdd(bundle: number, box: number, bytes: number): boolean {
    if (this.#isExempt(bundle) || bytes === 0) return true;
    if (bytes <= (this.#churnLeft[box] ?? 0) && this.#isChurnOver[box] === 0) return true;
    this.#churnBlocked[bundle] = 1;
    this.#isChurnOver[box] = 1;
    return false;
  }

  /** Whether there may be a box with room for what it lacks of a bundle: exact where each has all or nothing of it. */
  #mayFit(bundle: number): boolean {
    return this.#ledger.hasParts(bundle) || this.#hasRoom(this.#catalog.bundleBytes[bundle] ?? 0);
  }

  #hasRoom(bytes: number): boolean {
    for (let box = 0; box < this.#boxCount; box++) if ((this.#free[box] ?? 0) >= bytes) return true;
    return false;
  }

  #isPinned(bundle: number): boolean {
    return this.#catalog.ranks[bundle] === rank.pinned;
  }

  #isExempt(bundle: number): boolean {
    return this.#catalog.ranks[bundle] !== rank.none;
  }

  #whyOf(bundle: number): number {
    if (this.#isPinned(bundle)) return placedWhys.pinned;
    return this.#isExempt(bundle) ? placedWhys.urgent : placedWhys.popular;
  }
}
