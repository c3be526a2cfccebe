import type { FillWindow } from '../contract/documents.ts';
import { hashText } from './rendezvous.ts';

/** Whether a window is open, and until when that stays so. */
export interface WindowState {
  readonly open: boolean;
  /** Unix milliseconds of the next change. */
  readonly untilMs: number;
}

const minuteMs = 60_000;
const dayMinutes = 1440;
const dayMs = dayMinutes * minuteMs;
/** A zone is at most 14 hours from UTC, and no zone changes its offset twice within two days. */
const probeMs = dayMs;
const zonesMax = 1000;

/** The chance of a site: the same on all of its boxes and for whoever foretells their windows, so that they start together. */
export function siteChance(site: string): number {
  return hashText(site).a / 2 ** 32;
}

/** Whether this runtime knows a time zone of that name. */
export function isTimeZone(name: string): boolean {
  try {
    formatterOf(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether the window of a site is open at `nowMs`; equal ends are a whole day. It opens and closes at the first moment at
 * which the wall clock shows its time or a later one: a time that a change of the clocks leaves out is the moment of the
 * change, and one that comes twice is the first. So a day has at most one window, which may be longer or shorter.
 *
 * @param site `chance` is the site's, 0 to 1: where within its jitter the window lies.
 * @throws RangeError for a time zone that `isTimeZone` does not know.
 */
export function fillWindow(window: FillWindow, nowMs: number, site: { chance: number }): WindowState {
  const shift = Math.round((2 * site.chance - 1) * window.jitterMinutes);
  const length = (window.endMinute - window.startMinute + dayMinutes) % dayMinutes || dayMinutes;
  const start = window.startMinute + shift;
  const zone = formatterOf(window.timeZone);
  const today = Math.floor((nowMs + offsetMs(zone, nowMs)) / dayMs);
  // A window of the day before yesterday may reach into today: a whole day long, and moved past midnight.
  for (let day = today - 2; ; day++) {
    const opensMs = momentOf(zone, day * dayMs + start * minuteMs);
    const closesMs = momentOf(zone, day * dayMs + (start + length) * minuteMs);
    // Past, or all of it left out by a change of the clocks.
    if (closesMs <= Math.max(nowMs, opensMs)) continue;
    return opensMs > nowMs ? { open: false, untilMs: opensMs } : { open: true, untilMs: closesMs };
  }
}

/** As `momentOf`, of a zone by its name. @throws RangeError as `fillWindow`. */
export function wallMoment(timeZone: string, wallMs: number): number {
  return momentOf(formatterOf(timeZone), wallMs);
}

/** The first moment at which the wall clock shows `wallMs` (milliseconds since 1970-01-01 00:00 on that wall) or later. */
function momentOf(zone: Intl.DateTimeFormat, wallMs: number): number {
  const beforeMs = offsetMs(zone, wallMs - probeMs);
  const afterMs = offsetMs(zone, wallMs + probeMs);
  const first = wallMs - Math.max(beforeMs, afterMs);
  const second = wallMs - Math.min(beforeMs, afterMs);
  for (const moment of [first, second]) if (moment + offsetMs(zone, moment) === wallMs) return moment;
  // Left out: the clocks change between the two.
  let [low, high] = [first, second];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetMs(zone, middle) === beforeMs) low = middle;
    else high = middle;
  }
  return high;
}

/** What the wall clock of a zone shows less what it shows in UTC. */
function offsetMs(zone: Intl.DateTimeFormat, ms: number): number {
  const wholeMs = Math.floor(ms / 1000) * 1000;
  const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of zone.formatToParts(wholeMs)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) - wholeMs;
}

// Making one takes a hundred times as long as asking it.
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  if (formatters.size >= zonesMax) formatters.clear();
  formatters.set(timeZone, made);
  return made;
}
