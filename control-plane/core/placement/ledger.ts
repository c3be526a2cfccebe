import { BoxMask } from './box-mask.ts';
import type { PlacementCatalog } from './catalog.ts';

/**
 * What each box of a cluster holds and is to hold, by file and summed by bundle: a sweep asks for the sums far more often
 * than they change.
 */
export class Ledger {
  readonly held: BoxMask;
  readonly placed: BoxMask;
  readonly #catalog: PlacementCatalog;
  readonly #boxCount: number;
  // By bundle and box.
  readonly #heldBytes: Float64Array;
  readonly #placedBytes: Float64Array;
  readonly #addedBytes: Float64Array;
  readonly #placedFiles: Uint32Array;

  constructor(catalog: PlacementCatalog, heldByBox: readonly Iterable<number>[]) {
    const boxCount = heldByBox.length;
    const pairs = catalog.bundleCount * boxCount;
    this.#catalog = catalog;
    this.#boxCount = boxCount;
    this.held = new BoxMask({ fileCount: catalog.fileCount, boxCount });
    this.placed = new BoxMask({ fileCount: catalog.fileCount, boxCount });
    this.#heldBytes = new Float64Array(pairs);
    this.#placedBytes = new Float64Array(pairs);
    this.#addedBytes = new Float64Array(pairs);
    this.#placedFiles = new Uint32Array(pairs);
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
    for (let at = ownerStarts[file] ?? 0; at < end; at++) {
      const pair = (owners[at] ?? 0) * this.#boxCount + box;
      this.#heldBytes[pair] = (this.#heldBytes[pair] ?? 0) + bytes;
    }
  }

  /** Plans a file that is not planned there. */
  place(file: number, box: number): void {
    this.placed.add(file, box);
    const { ownerStarts, owners, fileBytes } = this.#catalog;
    const bytes = fileBytes[file] ?? 0;
    const isNew = !this.held.has(file, box);
    const end = ownerStarts[file + 1] ?? 0;
    for (let at = ownerStarts[file] ?? 0; at < end; at++) {
      const pair = (owners[at] ?? 0) * this.#boxCount + box;
      this.#placedFiles[pair] = (this.#placedFiles[pair] ?? 0) + 1;
      this.#placedBytes[pair] = (this.#placedBytes[pair] ?? 0) + bytes;
      if (isNew) this.#addedBytes[pair] = (this.#addedBytes[pair] ?? 0) + bytes;
    }
  }

  /** Bytes of a bundle that a box holds. */
  heldBytes(bundle: number, box: number): number {
    return this.#heldBytes[bundle * this.#boxCount + box] ?? 0;
  }

  /** Bytes of a bundle that the box that holds most of it holds. */
  heldBytesMost(bundle: number): number {
    let most = 0;
    const end = (bundle + 1) * this.#boxCount;
    for (let pair = bundle * this.#boxCount; pair < end; pair++)
      most = Math.max(most, this.#heldBytes[pair] ?? 0);
    return most;
  }

  /** Whether all of a bundle's files are planned on a box. */
  isWhole(bundle: number, box: number): boolean {
    const { starts } = this.#catalog;
    const members = (starts[bundle + 1] ?? 0) - (starts[bundle] ?? 0);
    return this.#placedFiles[bundle * this.#boxCount + box] === members;
  }

  /** Whether some of a bundle is planned on a box. */
  isBegun(bundle: number, box: number): boolean {
    return this.#placedFiles[bundle * this.#boxCount + box] !== 0;
  }

  /** Bytes of a bundle that are not planned on a box. */
  missingBytes(bundle: number, box: number): number {
    return (this.#catalog.bundleBytes[bundle] ?? 0) - (this.#placedBytes[bundle * this.#boxCount + box] ?? 0);
  }

  /** Those of them that the box does not hold either. */
  newBytes(bundle: number, box: number): number {
    const pair = bundle * this.#boxCount + box;
    const known = (this.#heldBytes[pair] ?? 0) + (this.#addedBytes[pair] ?? 0);
    return (this.#catalog.bundleBytes[bundle] ?? 0) - known;
  }
}
