import { widthOf } from './ip-address.ts';

/**
 * The address space of one family cut into sorted intervals, each with a value. Plain data in shared memory: another thread
 * may read it too. It is never changed.
 */
export interface PrefixIntervals {
  readonly family: 4 | 6;
  /** First address of each interval in 32-bit words, one for IPv4 and four for IPv6; that of the first is zero. */
  readonly starts: Uint32Array;
  readonly values: Uint32Array;
  /** For each value of an address's top bits, how many intervals begin before it. */
  readonly index: Uint32Array;
}

/** Finds intervals. Nothing is made for a lookup: an interval is asked for what is needed of it. */
export interface PrefixTable {
  readonly sizeBytes: number;
  /** The interval that holds an address of the table's family. */
  find(words: ArrayLike<number>): number;
  /** The value of the longest prefix that holds the interval; 0 where none does. */
  valueAt(interval: number): number;
  /** Bits of the largest block around an address of the interval in which every address has its value (RFC 7871 §7.2.1). */
  scopeAt(interval: number, words: ArrayLike<number>): number;
}

/** Opens intervals for lookups. */
export function openPrefixTable(intervals: PrefixIntervals): PrefixTable {
  return intervals.family === 4 ? new Ipv4Table(intervals) : new Ipv6Table(intervals);
}

// Of a full table. IPv6 addresses in use share their first three bits (2000::/3), and registries give out /12 to /23.
const indexBitsMax: Readonly<Record<4 | 6, number>> = { 4: 16, 6: 20 };

function sizeOf({ starts, values, index }: PrefixIntervals): number {
  return starts.byteLength + values.byteLength + index.byteLength;
}

class Ipv4Table implements PrefixTable {
  readonly sizeBytes: number;
  readonly #starts: Uint32Array;
  readonly #values: Uint32Array;
  readonly #index: Uint32Array;
  readonly #shift: number;

  constructor(intervals: PrefixIntervals) {
    this.sizeBytes = sizeOf(intervals);
    this.#starts = intervals.starts;
    this.#values = intervals.values;
    this.#index = intervals.index;
    this.#shift = 32 - Math.log2(intervals.index.length - 1);
  }

  find(words: ArrayLike<number>): number {
    const address = words[0] ?? 0;
    const starts = this.#starts;
    const top = address >>> this.#shift;
    // The interval that holds the address begins in its own block, or is the last to begin before it.
    let low = (this.#index[top] ?? 0) - 1;
    let high = (this.#index[top + 1] ?? 0) - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((starts[middle] ?? 0) <= address) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  valueAt(interval: number): number {
    return this.#values[interval] ?? 0;
  }

  scopeAt(interval: number, words: ArrayLike<number>): number {
    const address = words[0] ?? 0;
    const starts = this.#starts;
    const next = interval + 1;
    // One bit more than is shared with the addresses on either side.
    const left = interval === 0 ? 0 : Math.clz32(address ^ ((starts[interval] ?? 0) - 1)) + 1;
    const right = next === starts.length ? 0 : Math.clz32(address ^ (starts[next] ?? 0)) + 1;
    return left > right ? left : right;
  }
}

class Ipv6Table implements PrefixTable {
  readonly sizeBytes: number;
  readonly #starts: Uint32Array;
  readonly #values: Uint32Array;
  readonly #index: Uint32Array;
  readonly #shift: number;

  constructor(intervals: PrefixIntervals) {
    this.sizeBytes = sizeOf(intervals);
    this.#starts = intervals.starts;
    this.#values = intervals.values;
    this.#index = intervals.index;
    this.#shift = 32 - Math.log2(intervals.index.length - 1);
  }

  find(words: ArrayLike<number>): number {
    const a = words[0] ?? 0;
    const b = words[1] ?? 0;
    const starts = this.#starts;
    const top = a >>> this.#shift;
    let low = (this.#index[top] ?? 0) - 1;
    let high = (this.#index[top + 1] ?? 0) - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const at = middle * 4;
      const first = starts[at] ?? 0;
      const second = starts[at + 1] ?? 0;
      const isBehind = first === a ? (second === b ? isAfter(starts, at, words) : second > b) : first > a;
      if (isBehind) high = middle - 1;
      else low = middle;
    }
    return low;
  }

  valueAt(interval: number): number {
    return this.#values[interval] ?? 0;
  }

  scopeAt(interval: number, words: ArrayLike<number>): number {
    const next = 4 * (interval + 1);
    const left = interval === 0 ? 0 : scopeToPrevious(this.#starts, 4 * interval, words);
    const right = next === this.#starts.length ? 0 : scopeToNext(this.#starts, next, words);
    return left > right ? left : right;
  }
}

/** Whether the last two words of the address at `at` are greater. */
function isAfter(starts: Uint32Array, at: number, words: ArrayLike<number>): boolean {
  const third = starts[at + 2] ?? 0;
  const c = words[2] ?? 0;
  return third === c ? (starts[at + 3] ?? 0) > (words[3] ?? 0) : third > c;
}

/** Bits that the block of an address must have so as not to hold the address at `at`: one more than they share. */
function scopeToNext(starts: Uint32Array, at: number, words: ArrayLike<number>): number {
  for (let word = 0; word < 4; word++) {
    const differing = (words[word] ?? 0) ^ (starts[at + word] ?? 0);
    if (differing !== 0) return word * 32 + Math.clz32(differing) + 1;
  }
  return 128;
}

/** The same for the address before the one at `at`. */
function scopeToPrevious(starts: Uint32Array, at: number, words: ArrayLike<number>): number {
  // One is subtracted with borrow: a word stays unless every word after it is zero.
  let borrowFrom = 3;
  while (borrowFrom > 0 && starts[at + borrowFrom] === 0) borrowFrom--;
  for (let word = 0; word < 4; word++) {
    const value = starts[at + word] ?? 0;
    const previous = word < borrowFrom ? value : word === borrowFrom ? value - 1 : 0xffffffff;
    const differing = (words[word] ?? 0) ^ previous;
    if (differing !== 0) return word * 32 + Math.clz32(differing) + 1;
  }
  return 128;
}

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

  /** Closes what is open. The builder is not used again. */
  finish(): PrefixIntervals {
    while (this.#depth > 0) this.#close();
    const starts = shared(this.#starts.subarray(0, this.#count * this.#wordCount));
    const index = this.#index(starts);
    return { family: this.#family, starts, values: shared(this.#values.subarray(0, this.#count)), index };
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

  #index(starts: Uint32Array): Uint32Array {
    const bits = Math.max(1, Math.min(indexBitsMax[this.#family], Math.ceil(Math.log2(starts.length)) + 2));
    const index = shared(new Uint32Array(2 ** bits + 1));
    for (let at = 0; at < starts.length; at += this.#wordCount) {
      const next = ((starts[at] ?? 0) >>> (32 - bits)) + 1;
      index[next] = (index[next] ?? 0) + 1;
    }
    for (let top = 1; top < index.length; top++) index[top] = (index[top] ?? 0) + (index[top - 1] ?? 0);
    return index;
  }
}

function shared(from: Uint32Array): Uint32Array {
  const copy = new Uint32Array(new SharedArrayBuffer(from.byteLength));
  copy.set(from);
  return copy;
}
