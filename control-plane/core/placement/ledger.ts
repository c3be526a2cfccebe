import { BoxMask } from './box-mask.ts';
import type { PlacementCatalog } from './catalog.ts';

/** What is summed for each bundle and box; `addedBytes` are those that are planned and not held. */
const sum = { heldBytes: 0, placedBytes: 1, addedBytes: 2, placedFiles: 3 } as const;
const sumCount = 4;

/**
 * What each box of a cluster holds and is to hold, by file and summed by bundle: a sweep asks for the sums far more often
 * than they change.
 */
export class Ledger {
  readonly held: BoxMask;
  readonly placed: BoxMask;
  readonly #catalog: PlacementCatalog;
  readonly #boxCount: number;
  // By bundle and box, side by side: see `sum`. A sweep goes from bundle to bundle without order, and waits for memory.
  readonly #sums: Float64Array;
  // By bundle.
  readonly #parts: Uint16Array;
  readonly #wholes: Uint16Array;

  constructor(catalog: PlacementCatalog, heldByBox: readonly Iterable<number>[]) {
    const boxCount = heldByBox.length;
    this.#catalog = catalog;
    this.#boxCount = boxCount;
    this.held = new BoxMask({ fileCount: catalog.fileCount, boxCount });
    this.placed = new BoxMask({ fileCount: catalog.fileCount, boxCount });
    this.#sums = new Float64Array(catalog.bundleCount * boxCount * sumCount);
    this.#parts = new Uint16Array(catalog.bundleCount);
    this.#wholes = new Uint16Array(catalog.bundleCount);
    heldByBox.forEach((files, box) => {
      for (const file of files) this.#hold(file, box);
    });
  }

  #hold(file: number, box: number): void {
    if (this.held.has(file, box)) return;
    this.held.add(file, box);
    const { ownerStarts, owners, fileBytes } = this.#catalog;
    const bytes = fileBytes[file] ?? 0;
    const end = ownerStarts[file + 1] ?? 0;
    for (let at = ownerStarts[file] ?? 0; at < end; at++)
      this.#add(this.#sumsOf(owners[at] ?? 0, box) + sum.heldBytes, bytes);
  }

  /** Plans a file that is not planned there. */
  place(file: number, box: number): void {
    this.placed.add(file, box);
    const { ownerStarts, owners, fileBytes } = this.#catalog;
    const bytes = fileBytes[file] ?? 0;
    const isNew = !this.held.has(file, box);
    const end = ownerStarts[file + 1] ?? 0;
    for (let at = ownerStarts[file] ?? 0; at < end; at++) {
      const bundle = owners[at] ?? 0;
      const sums = this.#sumsOf(bundle, box);
      if (!this.isBegun(bundle, box)) this.#parts[bundle] = (this.#parts[bundle] ?? 0) + 1;
      this.#add(sums + sum.placedFiles, 1);
      this.#add(sums + sum.placedBytes, bytes);
      if (isNew) this.#add(sums + sum.addedBytes, bytes);
      if (!this.isWhole(bundle, box)) continue;
      this.#parts[bundle] = (this.#parts[bundle] ?? 0) - 1;
      this.#wholes[bundle] = (this.#wholes[bundle] ?? 0) + 1;
    }
  }

  /** Plans a whole bundle where nothing of it is planned: as `place` of each file, where none is of another bundle too. */
  placeWhole(bundle: number, box: number): void {
    const { starts, memberFiles, bundleBytes } = this.#catalog;
    const start = starts[bundle] ?? 0;
    const end = starts[bundle + 1] ?? 0;
    for (let member = start; member < end; member++) this.placed.add(memberFiles[member] ?? 0, box);
    const sums = this.#sumsOf(bundle, box);
    const newBytes = this.newBytes(bundle, box);
    this.#sums[sums + sum.placedFiles] = end - start;
    this.#sums[sums + sum.placedBytes] = bundleBytes[bundle] ?? 0;
    this.#sums[sums + sum.addedBytes] = newBytes;
    this.#wholes[bundle] = (this.#wholes[bundle] ?? 0) + 1;
  }

  /** Bytes of a bundle that a box holds. */
  heldBytes(bundle: number, box: number): number {
    return this.#sums[this.#sumsOf(bundle, box) + sum.heldBytes] ?? 0;
  }

  /** Bytes of a bundle that the box that holds most of it holds. */
  heldBytesMost(bundle: number): number {
    let most = 0;
    for (let box = 0; box < this.#boxCount; box++) most = Math.max(most, this.heldBytes(bundle, box));
    return most;
  }

  /** Whether all of a bundle's files are planned on a box. */
  isWhole(bundle: number, box: number): boolean {
    const { starts } = this.#catalog;
    const members = (starts[bundle + 1] ?? 0) - (starts[bundle] ?? 0);
    return this.#sums[this.#sumsOf(bundle, box) + sum.placedFiles] === members;
  }

  /** On how many boxes all of a bundle's files are planned. */
  wholes(bundle: number): number {
    return this.#wholes[bundle] ?? 0;
  }

  /** Whether a part of a bundle is planned on some box, and not all of it. */
  hasParts(bundle: number): boolean {
    return this.#parts[bundle] !== 0;
  }

  /** Whether some of a bundle is planned on a box. */
  isBegun(bundle: number, box: number): boolean {
    return this.#sums[this.#sumsOf(bundle, box) + sum.placedFiles] !== 0;
  }

  /** Bytes of a bundle that are not planned on a box. */
  missingBytes(bundle: number, box: number): number {
    const placedBytes = this.#sums[this.#sumsOf(bundle, box) + sum.placedBytes] ?? 0;
    return (this.#catalog.bundleBytes[bundle] ?? 0) - placedBytes;
  }

  /** Those of them that the box does not hold either. */
  newBytes(bundle: number, box: number): number {
    const sums = this.#sumsOf(bundle, box);
    const known = (this.#sums[sums + sum.heldBytes] ?? 0) + (this.#sums[sums + sum.addedBytes] ?? 0);
    return (this.#catalog.bundleBytes[bundle] ?? 0) - known;
  }

  #sumsOf(bundle: number, box: number): number {
    return (bundle * this.#boxCount + box) * sumCount;
  }

  #add(at: number, amount: number): void {
    this.#sums[at] = (this.#sums[at] ?? 0) + amount;
  }
}
