import { rendezvousScore, type HashPair, type RendezvousNode } from '../../../common/core/rendezvous.ts';
import type { PlacementCatalog } from './catalog.ts';
import type { Ledger } from './ledger.ts';

// A box that holds a bundle outweighs an equal one by this much: what stands somewhere is completed there.
const heldWeight = 64;
// Up to here sorting by insertion is the fastest.
const insertionMax = 32;

/** A box as rendezvous sees it. */
export interface OrderedBox {
  readonly hash: HashPair;
  readonly usableBytes: number;
  /** Share of the load that it can take, relative to its mates. */
  readonly throughput: number;
}

/**
 * The order in which a cluster's boxes are tried for each bundle: weighted rendezvous on the bundle's name, so that the files of
 * one bundle go together. A bundle of the head (hotter than the cluster's mean demand for a byte of its disks) costs a box more
 * of its line than of its disks, and is spread by throughput; the tail by storage. Each is made when first asked for.
 */
export class BoxOrders {
  /** Numbers of boxes; see `startOf`. */
  readonly boxes: Uint16Array;
  readonly #catalog: PlacementCatalog;
  readonly #ledger: Ledger;
  readonly #isHead: (bundle: number) => boolean;
  readonly #nodes: readonly RendezvousNode[];
  readonly #headWeights: Float64Array;
  readonly #tailWeights: Float64Array;
  readonly #known: Uint8Array;
  readonly #scores: Float64Array;

  constructor(
    catalog: PlacementCatalog,
    given: { boxes: readonly OrderedBox[]; ledger: Ledger; isHead: (bundle: number) => boolean },
  ) {
    const { boxes } = given;
    this.#catalog = catalog;
    this.#ledger = given.ledger;
    this.#isHead = given.isHead;
    // A score is its weight times the score of weight 1.
    this.#nodes = boxes.map(({ hash }) => ({ hash, weight: 1 }));
    this.#headWeights = Float64Array.from(boxes, ({ throughput }) => throughput);
    this.#tailWeights = Float64Array.from(boxes, ({ usableBytes }) => usableBytes);
    this.boxes = new Uint16Array(catalog.bundleCount * boxes.length);
    this.#known = new Uint8Array(catalog.bundleCount);
    this.#scores = new Float64Array(boxes.length);
  }

  /** Where in `boxes` a bundle's order starts: the best box comes first, each box once. */
  startOf(bundle: number): number {
    const { length } = this.#nodes;
    const start = bundle * length;
    if (this.#known[bundle] === 0) {
      this.#known[bundle] = 1;
      this.#score(bundle);
      if (length > insertionMax) this.#sortMany(this.boxes.subarray(start, start + length));
      else this.#sort(start, length);
    }
    return start;
  }

  #score(bundle: number): void {
    const { hashA, hashB, bundleBytes } = this.#catalog;
    const key = { a: hashA[bundle] ?? 0, b: hashB[bundle] ?? 0 };
    const bytes = this.#ledger.isEmpty ? Infinity : Math.max(1, bundleBytes[bundle] ?? 0);
    const weights = this.#isHead(bundle) ? this.#headWeights : this.#tailWeights;
    for (let box = 0; box < weights.length; box++) {
      const node = this.#nodes[box];
      if (node === undefined) continue;
      const share = bytes === Infinity ? 0 : this.#ledger.heldBytes(bundle, box) / bytes;
      const weight = (weights[box] ?? 0) * (1 + (heldWeight - 1) * share);
      this.#scores[box] = weight * rendezvousScore(node, key);
    }
  }

  /** By score; equals (weight 0) in the order of their numbers. */
  #sort(start: number, length: number): void {
    const scores = this.#scores;
    const { boxes } = this;
    for (let box = 0; box < length; box++) {
      const score = scores[box] ?? 0;
      let at = start + box;
      for (; at > start && (scores[boxes[at - 1] ?? 0] ?? 0) < score; at--) boxes[at] = boxes[at - 1] ?? 0;
      boxes[at] = box;
    }
  }

  #sortMany(order: Uint16Array): void {
    const scores = this.#scores;
    for (let box = 0; box < order.length; box++) order[box] = box;
    order.sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
  }
}
