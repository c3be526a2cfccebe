import * as layout from './prefix-layout.ts';
import type { PrefixIntervals } from './prefix-layout.ts';

/** Finds what there is of addresses of its family. Nothing is made for a lookup. */
export interface PrefixTable {
  /**
   * Bits of the largest block around the address of which the value was asked last in which every address has that value (RFC 7871
   * §7.2.1). It is found in passing: what tells the interval tells it too.
   */
  readonly scope: number;
  /** The value of the longest prefix that holds an address; 0 where none does. */
  valueOf(words: ArrayLike<number>): number;
  /** What is seldom asked for of it. */
  besideOf(words: ArrayLike<number>): number;
}

/** Opens intervals for lookups. */
export function openPrefixTable(intervals: PrefixIntervals): PrefixTable {
  return intervals.family === 4 ? new Ipv4Table(intervals) : new Ipv6Table(intervals);
}

// What another module exports is read anew wherever it is used; a constant of this one is a part of the code, which is a third shorter.
const { greater, keyBehind, MARK, PLACE, recordBits, SCOPE_SHIFT, slotBits, VALUE } = layout;
const SLOT = layout.slots - 1;
/** How many bits of a word are set. */
const countBits = (word: number): number => {
  const pairs = (word - ((word >>> 1) & 0x55555555)) | 0;
  const fours = ((pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)) | 0;
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
};
/** Steps of a search that are taken whether they are needed or not, so that there is nothing to guess. */
const stepsTaken = 4;
// A lookup is bound by its waits for memory. Addresses come in no order, so a processor cannot guess how a search for one goes; as long
// as there is no branch to guess, it looks up the next addresses while it waits for the memory of this one.

/**
 * The index has a record for each group of addresses, which has 32 slots. Its first number has a bit for each slot at which an interval
 * begins, so the interval of a slot is counted, not searched for. The second tells how many intervals begin before the group. Where
 * some interval begins inside of a slot (of a full table: in a /24) that is negative, and the first number tells where
 * to search: there are the starts of those that begin in the group, with a zero on either side in place of those around them, which share
 * fewer bits with any address of the group than one of these does. Records and values are small, so that a processor has most of them at hand.
 */
class Ipv4Table implements PrefixTable {
  scope = 0;
  readonly #index: Int32Array;
  readonly #values: Int32Array;
  readonly #besides: Int32Array;
  readonly #starts: Int32Array;
  readonly #groupShift: number;
  readonly #slotShift: number;
  /** Bits of an address before those that tell its slot, less the leading zeros that a slot has in a word. */
  readonly #scopeBase: number;

  constructor({ entries, index, besides, starts }: PrefixIntervals) {
    const bits = Math.log2((index.length >> recordBits) - 1);
    this.#index = index;
    this.#values = entries;
    this.#besides = besides;
    this.#starts = starts;
    this.#groupShift = 32 - bits;
    this.#slotShift = 32 - bits - slotBits;
    this.#scopeBase = bits - (31 - slotBits);
  }

  valueOf(words: ArrayLike<number>): number {
    return this.#values[this.#find(words)] ?? 0;
  }

  besideOf(words: ArrayLike<number>): number {
    return this.#besides[this.#find(words)] ?? 0;
  }

  #find(words: ArrayLike<number>): number {
    const address = (words[0] ?? 0) | 0;
    const index = this.#index;
    const record = (address >>> this.#groupShift) << recordBits;
    const bitmap = index[record] ?? 0;
    const place = index[record | 1] ?? 0;
    if (place < 0) return this.#search(address, record);
    const slot = (address >>> this.#slotShift) & SLOT;
    const upTo = (2 << slot) - 1;
    const begun = bitmap & upTo;
    const behind = bitmap & ~upTo;
    // Where nothing begins on a side, or only at the group's first slot, a number is negative, which has no leading zeros. What begins in
    // the same group shares more bits than anything outside.
    const left = Math.clz32(slot ^ (30 - Math.clz32(begun)));
    const right = Math.clz32(slot ^ (31 - Math.clz32(behind & -behind)));
    const within = (greater(left, right) + this.#scopeBase) | 0;
    this.scope = greater(within, place >>> SCOPE_SHIFT);
    return ((place & PLACE) + countBits(begun) - 1) | 0;
  }

  /** Finds the last interval that does not begin behind the address, among those of its group. */
  #search(address: number, record: number): number {
    const index = this.#index;
    const starts = this.#starts;
    const offset = index[record] ?? 0;
    const begun = (index[record + 1] ?? 0) & PLACE;
    let low = 0;
    let high = ((index[record + 3] ?? 0) & PLACE) - begun;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((starts[offset + middle] ?? 0) >>> 0 <= address >>> 0) low = middle;
      else high = middle - 1;
    }
    this.scope = layout.scope4(address, starts[offset + low] ?? 0, starts[offset + low + 1] ?? 0);
    return begun - 1 + low;
  }
}

/**
 * The index tells for each value of an address's top bits how many intervals begin before it. Those that begin in one block are searched:
 * up to 15 of them in the same four steps. An entry is the 31 bits of its first address behind those of the index, and its value.
 */
class Ipv6Table implements PrefixTable {
  scope = 0;
  readonly #entries: Int32Array;
  readonly #index: Int32Array;
  readonly #besides: Int32Array;
  readonly #starts: Int32Array;
  readonly #lows: Int32Array;
  readonly #bits: number;

  constructor({ entries, index, besides, starts, lows }: PrefixIntervals) {
    this.#entries = entries;
    this.#index = index;
    this.#besides = besides;
    this.#starts = starts;
    this.#lows = lows;
    this.#bits = Math.log2(index.length - 1);
  }

  valueOf(words: ArrayLike<number>): number {
    return (this.#entries[2 * this.#find(words) + 1] ?? 0) & VALUE;
  }

  besideOf(words: ArrayLike<number>): number {
    return this.#besides[this.#find(words)] ?? 0;
  }

  #find(words: ArrayLike<number>): number {
    const a = (words[0] ?? 0) | 0;
    const entries = this.#entries;
    const bits = this.#bits;
    const key = keyBehind(a, words[1] ?? 0, bits);
    const block = a >>> (32 - bits);
    const first = this.#index[block] ?? 0;
    const behind = this.#index[block + 1] ?? 0;
    let at = (first - 1) | 0;
    let left = (behind - first) | 0;
    for (let step = 0; step < stepsTaken || left > 0; step++) {
      const half = (left + 1) >> 1;
      // All ones where the middle is greater: keys have 31 bits, so their difference has a sign.
      at = (at + (half & ~((key - (entries[2 * (at + half)] ?? 0)) >> 31))) | 0;
      left = (left - half) | 0;
    }
    if (at >= first && entries[2 * at] === key && this.#isMarked(at))
      at = this.#findAmong(first - 1, at, words);
    // A neighbour in the same block of the index shares more bits than any in another, and mostly the keys tell how many. A number
    // is 0 where it is in another block, and 32 where it is told behind the keys.
    const next = (at + 1) | 0;
    const unmarked = ((entries[2 * at + 1] ?? 0) >>> 31) ^ 1;
    const toStart = Math.clz32(key ^ ((entries[2 * at] ?? 0) - unmarked)) & ~((at - first) >> 31);
    const toEnd = Math.clz32(key ^ (entries[2 * next] ?? 0)) & ((next - behind) >> 31);
    const within = greater(toStart, toEnd);
    this.scope = within > 0 && within < 32 ? bits + within : this.#scopeAmong(at, words);
    return at;
  }

  /** The scope of an address in an interval, by all words of the starts. */
  #scopeAmong(interval: number, words: ArrayLike<number>): number {
    const next = interval + 1;
    const left = interval === 0 ? 0 : scopeToPrevious(words, this.#startOf(interval));
    const right = 2 * next === this.#entries.length ? 0 : sharedBits(words, this.#startOf(next)) + 1;
    return greater(left, right);
  }

  #isMarked(interval: number): boolean {
    return ((this.#entries[2 * interval + 1] ?? 0) & MARK) !== 0;
  }

  /** The last of some intervals that does not begin behind an address, by all of its words. */
  #findAmong(from: number, to: number, words: ArrayLike<number>): number {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (isBefore(words, this.#startOf(middle))) high = middle - 1;
      else low = middle;
    }
    return low;
  }

  #startOf(interval: number): number[] {
    const at = 2 * interval;
    return [this.#starts[at] ?? 0, this.#starts[at + 1] ?? 0, this.#lows[at] ?? 0, this.#lows[at + 1] ?? 0];
  }
}

/** Bits that the block of an address must have so as not to hold the address before another: one more than they share. */
function scopeToPrevious(words: ArrayLike<number>, start: readonly number[]): number {
  const before = [...start];
  // One is subtracted with borrow: a word stays unless every word after it is zero.
  for (let word = 3; word >= 0; word--) {
    before[word] = (start[word] ?? 0) - 1;
    if (start[word] !== 0) break;
  }
  return Math.min(128, sharedBits(words, before) + 1);
}

/** Leading bits in which two IPv6 addresses are the same. */
function sharedBits(a: ArrayLike<number>, b: ArrayLike<number>): number {
  for (let word = 0; word < 4; word++) {
    const differing = (a[word] ?? 0) ^ (b[word] ?? 0);
    if (differing !== 0) return 32 * word + Math.clz32(differing);
  }
  return 128;
}

/** Whether an IPv6 address is less than another. */
function isBefore(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  for (let word = 0; word < 4; word++) {
    const own = (a[word] ?? 0) >>> 0;
    const other = (b[word] ?? 0) >>> 0;
    if (own !== other) return own < other;
  }
  return false;
}
