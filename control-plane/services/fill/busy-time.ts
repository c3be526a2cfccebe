/** How long something was busy: the union of intervals that may overlap, touch or repeat, added in any order. */
export interface BusyTime {
  /** One that ends before it begins has no length. */
  add(interval: { startMs: number; endMs: number }): void;
  totalMs(): number;
}

type Interval = readonly [startMs: number, endMs: number];

const compactLengthMin = 1024;

/** Begins with no time at all. Overlapping intervals are joined now and then, so that memory follows the gaps. */
export function createBusyTime(): BusyTime {
  let intervals: Interval[] = [];
  let compactLength = compactLengthMin;
  return {
    add({ startMs, endMs }) {
      if (endMs <= startMs) return;
      intervals.push([startMs, endMs]);
      if (intervals.length < compactLength) return;
      intervals = union(intervals);
      compactLength = Math.max(compactLengthMin, 2 * intervals.length);
    },
    totalMs: () => union(intervals).reduce((sum, [startMs, endMs]) => sum + endMs - startMs, 0),
  };
}

function union(intervals: readonly Interval[]): Interval[] {
  const joined: Interval[] = [];
  for (const interval of intervals.toSorted((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last === undefined || interval[0] > last[1]) joined.push(interval);
    else joined[joined.length - 1] = [last[0], Math.max(last[1], interval[1])];
  }
  return joined;
}
