import {
  CARRIED,
  PLACE,
  recordBits,
  runBits,
  SCOPE_SHIFT,
  scope4,
  slotBits,
  VALUES_AT,
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
  /** The interval that holds its first address, the first that begins in it or behind it, and the first that does behind it. */
  readonly from: number;
  readonly begun: number;
  readonly behind: number;
  /** A bit for each slot at which an interval begins, the first of them always; 0: some begins elsewhere. */
  readonly bitmap: number;
}

const ROOM = 2 ** recordBits - VALUES_AT;

/** Lays intervals out as `Ipv4Table` reads them, in 2^bits groups, which are whole runs. Throws RangeError where there are too many. */
export function layIpv4(intervals: Ipv4Intervals, bits: number): Omit<PrefixIntervals, 'besides'> {
  const { count, starts, values } = intervals;
  const groups = 2 ** bits;
  const recordsEnd = groups << recordBits;
  let [valuesEnd, searchedEnd] = [recordsEnd, 0];
  for (const { from, behind, bitmap } of groupsOf(intervals, bits)) {
    if (bitmap === 0 || behind - from > ROOM) valuesEnd += behind - from;
    if (bitmap === 0) searchedEnd += behind - from + 1;
  }
  if (valuesEnd > PLACE) throw new RangeError('a table has at most 16 million values');
  const index = shared(valuesEnd);
  const searched = shared(searchedEnd);
  const runs = shared(groups >> runBits);
  let [valuesAt, searchedAt, record] = [recordsEnd, 0, 0];
  for (const { first, from, begun, behind, bitmap } of groupsOf(intervals, bits)) {
    const fits = bitmap !== 0 && behind - from <= ROOM;
    const place = fits ? record + VALUES_AT : valuesAt;
    for (let at = from; at < behind; at++) index[place + at - from] = values[at] ?? 0;
    if (!fits) valuesAt += behind - from;
    const group = record >> recordBits;
    if (group % 2 ** runBits === 0) runs[group >> runBits] = begun;
    const next = behind === count ? 0 : (starts[behind] ?? 0);
    if (bitmap === 0) {
      index[record] = searchedAt;
      index[record + 1] = ~place;
      index[record + 2] = behind - from;
      index[record + 3] = behind - begun;
      for (let at = from; at < behind; at++) searched[searchedAt++] = starts[at] ?? 0;
      searched[searchedAt++] = next;
    } else {
      const scope = bitmap === 1 ? scope4(first, starts[from] ?? 0, next) : 0;
      index[record] = bitmap;
      index[record + 1] = (place - 1) | (from < begun ? CARRIED : 0) | (scope << SCOPE_SHIFT);
    }
    record += 2 ** recordBits;
  }
  return { family: 4, index, entries: runs, starts: searched, lows: shared(0) };
}

/** The groups of the whole address space, in order. */
function* groupsOf({ count, starts }: Ipv4Intervals, bits: number): Generator<Group> {
  const shift = 32 - bits;
  const inSlot = 2 ** (shift - slotBits);
  let behind = 0;
  for (let group = 0; group < 2 ** bits; group++) {
    const first = group * 2 ** shift;
    const begun = behind;
    const from = starts[begun] === first && begun < count ? begun : begun - 1;
    let bitmap = 1;
    let isSearched = false;
    for (; behind < count && (starts[behind] ?? 0) < first + 2 ** shift; behind++) {
      const offset = (starts[behind] ?? 0) - first;
      bitmap |= 1 << (offset / inSlot);
      isSearched ||= offset % inSlot !== 0;
    }
    yield { first, from, begun, behind, bitmap: isSearched ? 0 : bitmap };
  }
}

function shared(numbers: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * numbers));
}
