/**
 * The address space of one family cut into sorted intervals, each with a value. Plain data in shared memory: another thread
 * may read it too. It is never changed.
 */
export interface PrefixIntervals {
  readonly family: 4 | 6;
  /** What is found by an address's top bits. See the tables. */
  readonly index: Int32Array;
  /** What there is of each interval: for IPv4 its value, for IPv6 a part of its first address too. */
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
/** The record of a group has so many numbers. */
export const recordBits = 1;
/** In the second number of a record: how many intervals begin before the group. */
export const PLACE = 2 ** 24 - 1;
/** Above it: the scope of all addresses of the group, where it is in one interval. */
export const SCOPE_SHIFT = 24;
/** In the same: some interval begins inside of a slot, so they are searched. */
export const SEARCHED = 0x80000000;
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
  const difference = (a - b) | 0;
  return (a - (difference & (difference >> 31))) | 0;
}
