import {
  PLACE,
  recordBits,
  SCOPE_SHIFT,
  scope4,
  SEARCHED,
  slotBits,
  type PrefixIntervals,
} from './prefix-layout.ts';

/** Intervals of the IPv4 address space: of each its first address, ascending from 0 on, and its value. */
export interface Ipv4Intervals {
  readonly count: number;
  readonly starts: Uint32Array;
  readonly values: Uint32Array;
}

/** The addresses of one group: those of some intervals. */
interface Group {
  readonly first: number;
  /** The first interval that begins in it or behind it, and the first that does behind it. */
  readonly begun: number;
  readonly behind: number;
  /** A bit for each slot at which an interval begins. */
  readonly bitmap: number;
  /** Some begins elsewhere. */
  readonly isSearched: boolean;
}

/** Lays intervals out as `Ipv4Table` reads them, in 2^bits groups. Throws RangeError where there are too many. */
export function layIpv4(intervals: Ipv4Intervals, bits: number): Omit<PrefixIntervals, 'besides'> {
  const { count, starts, values } = intervals;
  if (count > PLACE) throw new RangeError('a table has at most 16 million intervals');
  let searchedEnd = 0;
  for (const { begun, behind, isSearched } of groupsOf(intervals, bits))
    if (isSearched) searchedEnd += behind - begun + 1;
  // Behind the last group there is a record too, as if another one began there.
  const index = shared((2 ** bits + 1) << recordBits);
  const searched = shared(searchedEnd + 1);
  let [searchedAt, record] = [0, 0];
  for (const { first, begun, behind, bitmap, isSearched } of groupsOf(intervals, bits)) {
    if (isSearched) {
      index[record] = searchedAt++;
      index[record + 1] = begun | SEARCHED;
      for (let at = begun; at < behind; at++) searched[searchedAt++] = starts[at] ?? 0;
    } else {
      const next = behind === count ? 0 : (starts[behind] ?? 0);
      const isOne = behind === begun + (bitmap & 1);
      index[record] = bitmap;
      index[record + 1] = begun | (isOne ? scope4(first, starts[behind - 1] ?? 0, next) << SCOPE_SHIFT : 0);
    }
    record += 1 << recordBits;
  }
  index[record + 1] = count;
  const entries = shared(count);
  entries.set(values.subarray(0, count));
  return { family: 4, index, entries, starts: searched, lows: shared(0) };
}

/** The groups of the whole address space, in order. */
function* groupsOf({ count, starts }: Ipv4Intervals, bits: number): Generator<Group> {
  const shift = 32 - bits;
  const inSlot = 2 ** (shift - slotBits);
  let behind = 0;
  for (let group = 0; group < 2 ** bits; group++) {
    const first = group * 2 ** shift;
    const begun = behind;
    let bitmap = 0;
    let isSearched = false;
    for (; behind < count && (starts[behind] ?? 0) < first + 2 ** shift; behind++) {
      const offset = (starts[behind] ?? 0) - first;
      bitmap |= 1 << (offset / inSlot);
      isSearched ||= offset % inSlot !== 0;
    }
    yield { first, begun, behind, bitmap, isSearched };
  }
}

function shared(numbers: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * numbers));
}
