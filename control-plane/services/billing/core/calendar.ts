/** How long a period of billing is. */
export interface Interval {
  readonly unit: 'week' | 'month' | 'year';
  readonly count: number;
}

/** Periods without a gap between them, counted from an anchor by the calendar and the clocks of a time zone. */
export interface Schedule {
  /** When the first period begins. */
  readonly anchorMs: number;
  /** IANA name. */
  readonly timeZone: string;
  readonly interval: Interval;
}

/** A span of time: `startMs` belongs to it, `endMs` to the next. */
export interface Period {
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * When period `index` of a schedule begins, in Unix milliseconds; the first is 0. Each is counted from the anchor, never from the one
 * before: anchored on the 31st, periods begin on the last day of shorter months and on the 31st again after them; on Feb 29, on Feb 28
 * of common years. The time of day is the anchor's by the wall clock: one that a change of the clocks leaves out comes as much
 * later as the clocks go forward, of one that comes twice it is the first.
 *
 * @throws RangeError for an unknown time zone, or a moment that no calendar of the language reaches.
 */
export function periodStart({ anchorMs, timeZone, interval }: Schedule, index: number): number {
  if (index === 0) return anchorMs;
  const anchor = wallTime(anchorMs, timeZone);
  return momentOf(anchor.add({ [`${interval.unit}s`]: index * interval.count }), timeZone);
}

/** The period that a moment is in, and its number. Before the anchor numbers are negative. Errors: those of `periodStart`. */
export function periodAt(schedule: Schedule, atMs: number): Period & { readonly index: number } {
  const { anchorMs, timeZone, interval } = schedule;
  const unit = `${interval.unit}s` as const;
  const passed = wallTime(anchorMs, timeZone).until(wallTime(atMs, timeZone), { largestUnit: unit })[unit];
  // Off by one at most: the calendar counts whole units towards zero, and clocks that change move a boundary by an hour or a day.
  let index = Math.floor(passed / interval.count);
  while (periodStart(schedule, index) > atMs) index--;
  while (periodStart(schedule, index + 1) <= atMs) index++;
  return { index, startMs: periodStart(schedule, index), endMs: periodStart(schedule, index + 1) };
}

/** The same time of day so many days later, by the wall clock of a time zone. Errors: those of `periodStart`. */
export function daysLater(atMs: number, { days, timeZone }: { days: number; timeZone: string }): number {
  return days === 0 ? atMs : momentOf(wallTime(atMs, timeZone).add({ days }), timeZone);
}

function wallTime(atMs: number, timeZone: string): Temporal.PlainDateTime {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone).toPlainDateTime();
}

function momentOf(wall: Temporal.PlainDateTime, timeZone: string): number {
  return wall.toZonedDateTime(timeZone, { disambiguation: 'compatible' }).epochMilliseconds;
}
