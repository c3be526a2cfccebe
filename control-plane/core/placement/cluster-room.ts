import { rank, type PlacementCatalog } from './catalog.ts';

/** Of a box, what room needs. */
interface RoomyBox {
  readonly usableBytes: number;
  /** Bytes that may newly be added; what is pinned or urgent is not counted. */
  readonly churnBytes: number;
}

/** What the boxes of a cluster can still take: bytes on their disks, and of the churn budget. */
export class ClusterRoom {
  /** By box. */
  readonly freeBytes: Float64Array;
  readonly churnLeftBytes: Float64Array;
  /** By bundle: 1 where the churn budget kept a copy from a box that had room for it. */
  readonly churnBlocked: Uint8Array;
  readonly #ranks: Uint8Array;
  readonly #hasExempt: boolean;
  readonly #churnBytes: Float64Array;
  /** By box: what is wanted more has found the churn budget too small. What is left is for that, and not for what happens to be small. */
  readonly #isOver: Uint8Array;
  #overCount = 0;
  /** No box has more bytes free. */
  #freeMostBytes = Infinity;

  constructor({ bundleCount, ranks }: PlacementCatalog, boxes: readonly RoomyBox[]) {
    this.freeBytes = Float64Array.from(boxes, ({ usableBytes }) => usableBytes);
    this.#churnBytes = Float64Array.from(boxes, ({ churnBytes }) => churnBytes);
    this.churnLeftBytes = this.#churnBytes.slice();
    this.churnBlocked = new Uint8Array(bundleCount);
    this.#ranks = ranks;
    this.#hasExempt = ranks.some((one) => one !== rank.none);
    this.#isOver = new Uint8Array(boxes.length);
  }

  /** No box may get anything that it does not hold. */
  get isClosed(): boolean {
    return this.#overCount === this.#isOver.length && !this.#hasExempt;
  }

  /** Whether a bundle is outside of the churn budget. */
  isExempt(bundle: number): boolean {
    return this.#ranks[bundle] !== rank.none;
  }

  /** Whether some box has so many bytes free. */
  hasFree(bytes: number): boolean {
    // What is free only becomes less: mostly what was counted last is enough to say no.
    return bytes <= this.#freeMostBytes && bytes <= this.countFreeMost();
  }

  /** Bytes that are free on the box that has most. */
  countFreeMost(): number {
    let most = -Infinity;
    for (const free of this.freeBytes) most = Math.max(most, free);
    this.#freeMostBytes = most;
    return most;
  }

  /** Whether a box has so many bytes free. */
  fits(bytes: number, box: number): boolean {
    return bytes <= (this.freeBytes[box] ?? 0);
  }

  /** Whether the churn budget lets so many bytes of a bundle come to a box; keeps in mind where it does not. */
  mayAdd(bundle: number, box: number, bytes: number): boolean {
    if (bytes === 0 || this.isExempt(bundle)) return true;
    if (this.#isOver[box] === 0 && bytes <= (this.churnLeftBytes[box] ?? 0)) return true;
    this.churnBlocked[bundle] = 1;
    if (this.#isOver[box] === 0) this.#overCount++;
    this.#isOver[box] = 1;
    return false;
  }

  /** A box on which nothing of the churn budget is spent may begin with what is too large for it; says whether it is one. */
  mayBegin(box: number): boolean {
    const left = this.churnLeftBytes[box] ?? 0;
    if (left <= 0 || left !== this.#churnBytes[box]) return false;
    if (this.#isOver[box] === 1) this.#overCount--;
    this.#isOver[box] = 0;
    return true;
  }

  /** So many bytes go to a box. */
  take(box: number, bytes: number): void {
    this.freeBytes[box] = (this.freeBytes[box] ?? 0) - bytes;
  }

  /** So many bytes of a bundle that are new come to a box. */
  spend(bundle: number, box: number, bytes: number): void {
    if (!this.isExempt(bundle)) this.churnLeftBytes[box] = (this.churnLeftBytes[box] ?? 0) - bytes;
  }
}
