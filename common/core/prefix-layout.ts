/**
 * The address space of one family cut into sorted intervals, each with a value. Plain data in shared memory: another thread
 * may read it too. It is never changed.
 */
export interface PrefixIntervals {
  readonly family: 4 | 6;
  /** What is found by an address's top bits. For IPv4 with the values: a lookup needs no more. See the tables. */
  readonly index: Int32Array;
  /** For IPv6 what there is of each interval; for IPv4 how many begin before each run of groups. */
  readonly entries: Int32Array;
  /** Of each interval what is seldom asked for; empty where the builder was not told what that is. */
  readonly besides: Int32Array;
  /** For IPv6 the upper two words of the first address of each interval, for IPv4 the addresses of what is searched. */
  readonly starts: Int32Array;
  /** For IPv6 the lower two, unless all are zero. */
  readonly lows: Int32Array;
}

/** Groups of IPv4 addresses have so many slots. */
export const slotBits = 5;
export const slots = 1 << slotBits;
/** The record of a group has so many numbers, half of a cache line; from this one on they are values. */
export const recordBits = 3;
export const VALUES_AT = 2;
/** In the second number of a record: where the value of its first interval is, less one. */
export const PLACE = 2 ** 24 - 1;
/** In the same: its first interval began before the group. */
export const CARRIED = 2 ** 24;
/** Above it: the scope of all addresses of the group, where it is in one interval. */
export const SCOPE_SHIFT = 25;
/** So many groups are a run. */
export const runBits = 4;
/** In the value of an IPv6 entry: its address goes on behind the bits that the entry has. */
export const MARK = 0x80000000;
export const VALUE = 0x7fffffff;

/** Bits of the largest block around an address between two interval's starts: one more than are shared with those on either side. */
export function scope4(address: number, start: number, next: number): number {
  const left = start === 0 ? 0 : Math.clz32(address ^ (start - 1)) + 1;
  const right = next === 0 ? 0 : Math.clz32(address ^ next) + 1;
  return greater(left, right);
}

/** The 31 bits of an IPv6 address behind its first `bits` (1 to 31). */
export function keyBehind(a: number, b: number, bits: number): number {
  return ((a << bits) | (b >>> (32 - bits))) >>> 1;
}

/** The greater of two small numbers. */
export function greater(a: number, b: number): number {
  const difference = a - b;
  return a - (difference & (difference >> 31));
}

/** How many bits of a word are set. */
export function countBits(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The lesser of two numbers, where those below 0 count as larger than all others. */
export function lesser(a: number, b: number): number {
  const right = b & 0x7fffffff;
  const difference = (a & 0x7fffffff) - right;
  return right + (difference & (difference >> 31));
}
