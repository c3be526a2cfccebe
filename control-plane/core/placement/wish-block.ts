import type { PlacementCatalog } from './catalog.ts';
import type { Ledger } from './ledger.ts';
import { noSizeClass, sizeClassOf } from './size-class.ts';
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
  /** By member: what must be free somewhere for its file to be looked at, as a class of sizes. */
  readonly #classes: Uint8Array;

  constructor(catalog: PlacementCatalog, of: { ledger: Ledger; isHot: Uint8Array }) {
    this.#catalog = catalog;
    this.#ledger = of.ledger;
    this.#isHotBundle = of.isHot;
    this.#classes = catalog.sizeClasses.slice();
  }

  /**
   * Takes what comes next from an index on, and says from where to go on. Passes over files alone that are done, and those that are larger by a class than
   * what is free anywhere.
   *
   * @param keptOnly passes over files alone that are not to be kept, too.
   */
  take(queue: Uint32Array, from: number, given: { freeMostBytes: number; keptOnly: boolean }): number {
    const { bundleCount } = this.#catalog;
    const classMax = sizeClassOf(given.freeMostBytes);
    const classes = this.#classes;
    const { entries } = this;
    let next = from;
    let length = 0;
    for (; next < queue.length && length < lengthMax; next++) {
      const entry = queue[next] ?? 0;
      const member = wish.item(entry) - bundleCount;
      if (member >= 0 && (classes[member] ?? 0) > classMax) continue;
      if (given.keptOnly && member >= 0 && !wish.isKept(entry)) continue;
      entries[length++] = entry;
    }
    this.length = length;
    this.#read();
    return next;
  }

  /** A file alone has all of its copies, whatever comes. */
  finish(at: number): void {
    this.#classes[wish.item(this.entries[at] ?? 0) - this.#catalog.bundleCount] = noSizeClass;
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
