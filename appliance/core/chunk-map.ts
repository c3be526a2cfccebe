/** Which chunks of a file are there: one bit each, lowest bit first, as it is kept on disk beside a partial file. */
export class ChunkMap {
  readonly bits: Uint8Array;
  readonly count: number;
  #set = 0;

  constructor(count: number, bits?: Uint8Array) {
    this.count = count;
    this.bits = new Uint8Array(Math.ceil(count / 8));
    if (bits === undefined) return;
    for (let index = 0; index < count; index++) {
      if (((bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0) this.add(index);
    }
  }

  /** How many chunks are there. */
  get size(): number {
    return this.#set;
  }

  has(index: number): boolean {
    return ((this.bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  /** Marks a chunk as there; returns the byte of `bits` that changed. */
  add(index: number): number {
    if (!this.has(index)) {
      this.bits[index >> 3] = (this.bits[index >> 3] ?? 0) | (1 << (index & 7));
      this.#set++;
    }
    return index >> 3;
  }

  /** Unmarks a chunk that turned out to be bad. */
  remove(index: number): void {
    if (!this.has(index)) return;
    this.bits[index >> 3] = (this.bits[index >> 3] ?? 0) & ~(1 << (index & 7));
    this.#set--;
  }

  /** The first run of at most `lengthMax` chunks that are neither there nor `taken`, from `from` on. */
  nextGap(options: {
    from?: number;
    lengthMax: number;
    taken: (index: number) => boolean;
  }): ChunkRun | undefined {
    const { lengthMax, taken } = options;
    const open = (index: number): boolean => !this.has(index) && !taken(index);
    for (let first = options.from ?? 0; first < this.count; first++) {
      if (!open(first)) continue;
      let last = first;
      while (last + 1 < this.count && last + 1 - first < lengthMax && open(last + 1)) last++;
      return { first, last };
    }
    return undefined;
  }
}

/** Consecutive chunks, both ends inclusive. */
export interface ChunkRun {
  readonly first: number;
  readonly last: number;
}
