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
  /** No box holds anything. */
  readonly isEmpty: boolean;
  readonly #catalog: PlacementCatalog;
  readonly #boxCount: number;
  // By bundle and box, side by side: see `sum`. A sweep goes from bundle to bundle without order, and waits for memory.
  readonly #sums: Float64Array;
  // By bundle.
  readonly #parts: Uint16Array;
  readonly #wholes: Uint16Array;
  // By bundle: 1 where files were planned one by one since its sums were made. Files alone come by the hundred thousand, and none asks.
  readonly #isStale: Uint8Array;

  constructor(catalog: PlacementCatalog, heldByBox: readonly Iterable<number>[]) {
    const boxCount = heldByBox.length;
    this.#catalog = catalog;
    this.#boxCount = boxCount;
    [this.held, this.placed] = BoxMask.pair({ fileCount: catalog.fileCount, boxCount });
    this.#sums = new Float64Array(catalog.bundleCount * boxCount * sumCount);
    this.#parts = new Uint16Array(catalog.bundleCount);
    this.#wholes = new Uint16Array(catalog.bundleCount);
    this.#isStale = new Uint8Array(catalog.bundleCount);
    let heldCount = 0;
    heldByBox.forEach((files, box) => {
      for (const file of files) {
        this.held.add(file, box);
        heldCount++;
      }
    });
    this.isEmpty = heldCount === 0;
    if (!this.isEmpty) this.#sumHeld();
  }

  /** By bundle after bundle: files are held in no order, and sums without order wait for memory. */
  #sumHeld(): void {
    const { bundleCount, starts, memberFiles, fileBytes } = this.#catalog;
    for (let bundle = 0; bundle < bundleCount; bundle++) {
      const start = starts[bundle] ?? 0;
      const end = starts[bundle + 1] ?? 0;
      for (let box = 0; box < this.#boxCount; box++) {
        let bytes = 0;
        for (let member = start; member < end; member++) {
          const file = memberFiles[member] ?? 0;
          if (this.held.has(file, box)) bytes += fileBytes[file] ?? 0;
        }
        if (bytes > 0) this.#sums[this.#sumsOf(bundle, box) + sum.heldBytes] = bytes;
      }
    }
  }

  /** Plans a file of a bundle that is not planned there. */
  place(file: number, bundle: number, box: number): void {
    this.placed.add(file, box);
    const { isShared, ownerStarts, owners } = this.#catalog;
    this.#isStale[bundle] = 1;
    if (isShared[bundle] === 0) return;
    const end = ownerStarts[file + 1] ?? 0;
    for (let at = ownerStarts[file] ?? 0; at < end; at++) this.#isStale[owners[at] ?? 0] = 1;
  }

  /** Sums what is planned of a bundle anew, where that has changed. */
  #renew(bundle: number): void {
    if (this.#isStale[bundle] === 0) return;
    this.#isStale[bundle] = 0;
    const { starts, memberFiles, fileBytes } = this.#catalog;
    const start = starts[bundle] ?? 0;
    const end = starts[bundle + 1] ?? 0;
    let parts = 0;
    let wholes = 0;
    for (let box = 0; box < this.#boxCount; box++) {
      let placedFiles = 0;
      let placedBytes = 0;
      let addedBytes = 0;
      for (let member = start; member < end; member++) {
        const file = memberFiles[member] ?? 0;
        if (!this.placed.has(file, box)) continue;
        const bytes = fileBytes[file] ?? 0;
        placedFiles++;
        placedBytes += bytes;
        if (!this.held.has(file, box)) addedBytes += bytes;
      }
      const sums = this.#sumsOf(bundle, box);
      this.#sums[sums + sum.placedFiles] = placedFiles;
      this.#sums[sums + sum.placedBytes] = placedBytes;
      this.#sums[sums + sum.addedBytes] = addedBytes;
      if (placedFiles === end - start) wholes++;
      else if (placedFiles > 0) parts++;
    }
    this.#parts[bundle] = parts;
    this.#wholes[bundle] = wholes;
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
    return this.#planned(bundle, box, sum.placedFiles) === this.#memberCount(bundle);
  }

  /** On how many boxes all of a bundle's files are planned. */
  wholes(bundle: number): number {
    this.#renew(bundle);
    return this.#wholes[bundle] ?? 0;
  }

  /** Whether a part of a bundle is planned on some box, and not all of it. */
  hasParts(bundle: number): boolean {
    this.#renew(bundle);
    return this.#parts[bundle] !== 0;
  }

  /** Whether some of a bundle is planned on a box. */
  isBegun(bundle: number, box: number): boolean {
    return this.#planned(bundle, box, sum.placedFiles) !== 0;
  }

  /** Bytes of a bundle that are not planned on a box. */
  missingBytes(bundle: number, box: number): number {
    return (this.#catalog.bundleBytes[bundle] ?? 0) - this.#planned(bundle, box, sum.placedBytes);
  }

  /** Those of them that the box does not hold either. */
  newBytes(bundle: number, box: number): number {
    const known = this.heldBytes(bundle, box) + this.#planned(bundle, box, sum.addedBytes);
    return (this.#catalog.bundleBytes[bundle] ?? 0) - known;
  }

  #planned(bundle: number, box: number, what: number): number {
    this.#renew(bundle);
    return this.#sums[this.#sumsOf(bundle, box) + what] ?? 0;
  }

  #memberCount(bundle: number): number {
    const { starts } = this.#catalog;
    return (starts[bundle + 1] ?? 0) - (starts[bundle] ?? 0);
  }

  #sumsOf(bundle: number, box: number): number {
    return (bundle * this.#boxCount + box) * sumCount;
  }
}
