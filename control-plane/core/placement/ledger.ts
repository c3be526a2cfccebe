import { BoxMask } from './box-mask.ts';
import type { PlacementCatalog } from './catalog.ts';

/** What is summed of the plan for each bundle and box; `addedBytes` are those that are planned and not held. */
const sum = { placedBytes: 0, addedBytes: 1, placedFiles: 2 } as const;
const sumCount = 3;

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
  // By bundle and box, those of a bundle side by side. A sweep goes from bundle to bundle without order, and waits for memory.
  readonly #heldBytes: Float64Array;
  // The same for the plan, several of each: see `sum`.
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
    this.#heldBytes = new Float64Array(catalog.bundleCount * boxCount);
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
    const { memberFiles, memberBundles, fileBytes } = this.#catalog;
    const { wordCount } = this.held;
    for (let member = 0; member < memberFiles.length; member++) {
      const file = memberFiles[member] ?? 0;
      for (let word = 0; word < wordCount; word++) {
        for (let bits = this.held.word(file, word); bits !== 0; bits &= bits - 1) {
          const at = (memberBundles[member] ?? 0) * this.#boxCount + 32 * word + lowestBit(bits);
          this.#heldBytes[at] = (this.#heldBytes[at] ?? 0) + (fileBytes[file] ?? 0);
        }
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
    const { starts } = this.#catalog;
    const from = this.#sumsOf(bundle, 0);
    this.#sums.fill(0, from, from + this.#boxCount * sumCount);
    const end = starts[bundle + 1] ?? 0;
    for (let member = starts[bundle] ?? 0; member < end; member++) this.#addPlanned(member, from);
    const memberCount = this.#memberCount(bundle);
    let parts = 0;
    let wholes = 0;
    for (let box = 0; box < this.#boxCount; box++) {
      const placedFiles = this.#sums[from + box * sumCount + sum.placedFiles] ?? 0;
      if (placedFiles === memberCount) wholes++;
      else if (placedFiles > 0) parts++;
    }
    this.#parts[bundle] = parts;
    this.#wholes[bundle] = wholes;
  }

  /** Adds a member to its bundle's sums of each box where it is planned. */
  #addPlanned(member: number, from: number): void {
    const file = this.#catalog.memberFiles[member] ?? 0;
    const bytes = this.#catalog.fileBytes[file] ?? 0;
    const sums = this.#sums;
    for (let word = 0; word < this.placed.wordCount; word++) {
      const held = this.held.word(file, word);
      for (let bits = this.placed.word(file, word); bits !== 0; bits &= bits - 1) {
        const box = lowestBit(bits);
        const at = from + (32 * word + box) * sumCount;
        sums[at + sum.placedBytes] = (sums[at + sum.placedBytes] ?? 0) + bytes;
        sums[at + sum.placedFiles] = (sums[at + sum.placedFiles] ?? 0) + 1;
        if ((held & (1 << box)) === 0) sums[at + sum.addedBytes] = (sums[at + sum.addedBytes] ?? 0) + bytes;
      }
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
    return this.#heldBytes[bundle * this.#boxCount + box] ?? 0;
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

/** The number of the lowest bit that is set. */
function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
