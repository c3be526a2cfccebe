import { widthOf } from './ip-address.ts';
import { layIpv4 } from './ipv4-records.ts';
import { keyBehind, MARK, type PrefixIntervals } from './prefix-layout.ts';

// Of a full table. IPv6 addresses in use share their first three bits (2000::/3), and registries give out /12 to /23.
const indexBitsMax: Readonly<Record<4 | 6, number>> = { 4: 19, 6: 20 };
const DEPTH_MAX = 129;

/**
 * Cuts the address space into intervals while prefixes are told in order of address, then length, each once. The value of a
 * prefix may depend on that of the prefix around it: `enter` tells it, and `open` takes the value. O(n) time, no object
 * for a prefix.
 */
export class PrefixTableBuilder {
  readonly #family: 4 | 6;
  readonly #wordCount: number;
  #starts: Uint32Array;
  #values: Uint32Array;
  #count = 0;
  // The prefixes that are open, one inside the other: the address behind each, unless it ends with the address space.
  readonly #ends: Uint32Array;
  readonly #endless = new Uint8Array(DEPTH_MAX);
  readonly #opened = new Uint32Array(DEPTH_MAX);
  #depth = 0;

  constructor(family: 4 | 6, intervalsExpected = 1024) {
    this.#family = family;
    this.#wordCount = widthOf(family) / 32;
    this.#starts = new Uint32Array(intervalsExpected * this.#wordCount);
    this.#values = new Uint32Array(intervalsExpected);
    this.#ends = new Uint32Array(DEPTH_MAX * this.#wordCount);
    this.#begin(new Uint32Array(this.#wordCount), 0, 0);
  }

  /** Goes to a prefix's address; @returns the value of the longest prefix around it, 0 where there is none. */
  enter(words: ArrayLike<number>): number {
    while (this.#depth > 0 && this.#isBehindTop(words)) this.#close();
    return this.#depth === 0 ? 0 : (this.#opened[this.#depth - 1] ?? 0);
  }

  /** Opens the prefix whose address was entered. */
  open(words: ArrayLike<number>, length: number, value: number): void {
    this.#begin(words, 0, value);
    this.#opened[this.#depth] = value;
    this.#endless[this.#depth] = this.#writeEnd(words, length) ? 0 : 1;
    this.#depth++;
  }

  /** Closes what is open. The builder is not used again. `told` says what is found of each value that was opened, if not the value. */
  finish(told?: {
    valueOf: (opened: number) => number;
    besideOf: (opened: number) => number;
  }): PrefixIntervals {
    while (this.#depth > 0) this.#close();
    const wanted = Math.ceil(Math.log2(this.#count * this.#wordCount)) + 2;
    const bits = Math.min(indexBitsMax[this.#family], wanted);
    const besides = shared(told === undefined ? 0 : this.#count);
    if (told !== undefined) {
      for (let at = 0; at < this.#count; at++) {
        const value = this.#values[at] ?? 0;
        this.#values[at] = told.valueOf(value);
        besides[at] = told.besideOf(value);
      }
    }
    if (this.#family === 6) return { besides, ...this.#finish6(bits) };
    const intervals = { count: this.#count, starts: this.#starts, values: this.#values };
    return { besides, ...layIpv4(intervals, bits) };
  }

  #finish6(bits: number): Omit<PrefixIntervals, 'besides'> {
    const from = this.#starts;
    const entries = shared(2 * this.#count);
    const starts = shared(2 * this.#count);
    let lows = shared(0);
    for (let at = 0; at < this.#count; at++) {
      const high = from[4 * at + 1] ?? 0;
      const low = (from[4 * at + 2] ?? 0) | (from[4 * at + 3] ?? 0);
      const isMarked = ((high << (bits - 1)) | low) !== 0;
      entries[2 * at] = keyBehind(from[4 * at] ?? 0, high, bits);
      entries[2 * at + 1] = (this.#values[at] ?? 0) | (isMarked ? MARK : 0);
      starts[2 * at] = from[4 * at] ?? 0;
      starts[2 * at + 1] = high;
      if (low === 0) continue;
      if (lows.length === 0) lows = shared(2 * this.#count);
      lows[2 * at] = from[4 * at + 2] ?? 0;
      lows[2 * at + 1] = from[4 * at + 3] ?? 0;
    }
    return { family: 6, index: this.#blocks(bits), entries, starts, lows };
  }

  #isBehindTop(words: ArrayLike<number>): boolean {
    const top = this.#depth - 1;
    if (this.#endless[top] === 1) return false;
    for (let word = 0; word < this.#wordCount; word++) {
      const end = this.#ends[top * this.#wordCount + word] ?? 0;
      const address = words[word] ?? 0;
      if (address !== end) return address > end;
    }
    return true;
  }

  #close(): void {
    const top = --this.#depth;
    if (this.#endless[top] === 1) return;
    this.#begin(this.#ends, top * this.#wordCount, top === 0 ? 0 : (this.#opened[top - 1] ?? 0));
  }

  /** Begins an interval at the address at `at` of `words`. */
  #begin(words: ArrayLike<number>, at: number, value: number): void {
    // An interval of no length is overwritten; one with the value of that before it only makes that one longer.
    if (this.#count > 0 && this.#isLastStart(words, at)) this.#count--;
    if (this.#count > 0 && this.#values[this.#count - 1] === value) return;
    if (this.#count === this.#values.length) this.#grow();
    for (let word = 0; word < this.#wordCount; word++) {
      this.#starts[this.#count * this.#wordCount + word] = words[at + word] ?? 0;
    }
    this.#values[this.#count++] = value;
  }

  #isLastStart(words: ArrayLike<number>, at: number): boolean {
    const start = (this.#count - 1) * this.#wordCount;
    for (let word = 0; word < this.#wordCount; word++) {
      if (this.#starts[start + word] !== words[at + word]) return false;
    }
    return true;
  }

  #grow(): void {
    const starts = new Uint32Array(2 * this.#starts.length);
    starts.set(this.#starts);
    this.#starts = starts;
    const values = new Uint32Array(2 * this.#values.length);
    values.set(this.#values);
    this.#values = values;
  }

  /** Writes the first address behind a prefix to the top of the stack; false where the prefix ends with the address space. */
  #writeEnd(words: ArrayLike<number>, length: number): boolean {
    const at = this.#depth * this.#wordCount;
    for (let word = 0; word < this.#wordCount; word++) this.#ends[at + word] = words[word] ?? 0;
    // One is added at bit `length - 1`, with carry.
    let add = 2 ** (31 - ((length - 1) & 31));
    for (let word = (length - 1) >> 5; word >= 0; word--, add = 1) {
      const sum = (this.#ends[at + word] ?? 0) + add;
      this.#ends[at + word] = sum;
      if (sum < 2 ** 32) return true;
    }
    return false;
  }

  /** The index of `Ipv6Table`, of so many bits. */
  #blocks(bits: number): Int32Array {
    const index = shared(2 ** bits + 1);
    for (let interval = 0; interval < this.#count; interval++) {
      const next = ((this.#starts[interval * this.#wordCount] ?? 0) >>> (32 - bits)) + 1;
      index[next] = (index[next] ?? 0) + 1;
    }
    for (let top = 1; top < index.length; top++) index[top] = (index[top] ?? 0) + (index[top - 1] ?? 0);
    return index;
  }
}

function shared(words: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * words));
}
