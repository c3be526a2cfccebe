import type { PlacementCatalog } from './catalog.ts';
import type { Ledger } from './ledger.ts';
import { wish } from './weigh.ts';

const lengthMax = 1024;

/**
 * The next wishes of a queue, with what is asked of each file that is wanted alone. The queue goes through the catalog without order:
 * one read after the other would wait for memory each time, while those of a short loop without branches are under way together.
 */
export class WishBlock {
  length = 0;
  readonly entries = new Uint32Array(lengthMax);
  /** Of wishes for files alone. */
  readonly files = new Uint32Array(lengthMax);
  readonly bundles = new Uint32Array(lengthMax);
  readonly bytes = new Float64Array(lengthMax);
  /** How many boxes hold it. */
  readonly holders = new Uint16Array(lengthMax);
  /** Whether several copies may be needed. */
  readonly isHot = new Uint8Array(lengthMax);
  readonly #words = new Uint32Array(lengthMax);
  readonly #catalog: PlacementCatalog;
  readonly #ledger: Ledger;
  readonly #isHotBundle: Uint8Array;

  constructor(catalog: PlacementCatalog, of: { ledger: Ledger; isHot: Uint8Array }) {
    this.#catalog = catalog;
    this.#ledger = of.ledger;
    this.#isHotBundle = of.isHot;
  }

  /**
   * Takes what comes next from an index on, and says from where to go on.
   *
   * @param keptOnly passes over files alone that are not to be kept.
   */
  take(queue: Uint32Array, from: number, keptOnly: boolean): number {
    const { bundleCount } = this.#catalog;
    let next = from;
    let length = 0;
    for (; next < queue.length && length < lengthMax; next++) {
      const entry = queue[next] ?? 0;
      if (keptOnly && !wish.isKept(entry) && wish.item(entry) >= bundleCount) continue;
      this.entries[length++] = entry;
    }
    this.length = length;
    this.#read();
    return next;
  }

  #read(): void {
    const { length, entries, files, bundles, bytes, holders, isHot } = this;
    const { bundleCount, memberPairs, fileBytes } = this.#catalog;
    const { held } = this.#ledger;
    for (let at = 0; at < length; at++) {
      const member = Math.max(0, wish.item(entries[at] ?? 0) - bundleCount);
      files[at] = memberPairs[2 * member] ?? 0;
      bundles[at] = memberPairs[2 * member + 1] ?? 0;
    }
    for (let at = 0; at < length; at++) {
      const file = files[at] ?? 0;
      bytes[at] = fileBytes[file] ?? 0;
      isHot[at] = this.#isHotBundle[bundles[at] ?? 0] ?? 0;
      this.#words[at] = held.word(file);
    }
    // What was read above is near now.
    for (let at = 0; at < length; at++) holders[at] = held.count(files[at] ?? 0);
  }
}
