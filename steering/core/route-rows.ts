/**
 * The prefixes of one family that anybody announces, in order of address, then length, each with its set (see `setOf`). Plain data, never changed:
 * the next map is merged over it, so that what has not changed need not be read again.
 */
export interface PrefixRows {
  /** One word a prefix for IPv4, four for IPv6. */
  readonly words: Uint32Array;
  readonly lengths: Uint8Array;
  readonly sets: Uint32Array;
}

export type RouteRows = Readonly<Record<4 | 6, PrefixRows>>;

/** Rows that grow. */
export class PrefixRowsBuilder {
  readonly #wordCount: number;
  #count = 0;
  #words: Uint32Array;
  #lengths: Uint8Array;
  #sets: Uint32Array;

  constructor(family: 4 | 6, expected: number) {
    this.#wordCount = family === 4 ? 1 : 4;
    this.#words = new Uint32Array(expected * this.#wordCount);
    this.#lengths = new Uint8Array(expected);
    this.#sets = new Uint32Array(expected);
  }

  push(words: Uint32Array, length: number, set: number): void {
    if (this.#count === this.#sets.length) this.#grow();
    const row = this.#count++;
    const at = row * this.#wordCount;
    for (let word = 0; word < this.#wordCount; word++) this.#words[at + word] = words[word] ?? 0;
    this.#lengths[row] = length;
    this.#sets[row] = set;
  }

  build(): PrefixRows {
    return {
      words: this.#words.subarray(0, this.#count * this.#wordCount),
      lengths: this.#lengths.subarray(0, this.#count),
      sets: this.#sets.subarray(0, this.#count),
    };
  }

  #grow(): void {
    const room = Math.max(16, 2 * this.#count);
    const before = this.build();
    this.#words = new Uint32Array(room * this.#wordCount);
    this.#lengths = new Uint8Array(room);
    this.#sets = new Uint32Array(room);
    this.#words.set(before.words);
    this.#lengths.set(before.lengths);
    this.#sets.set(before.sets);
  }
}
