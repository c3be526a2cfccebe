import { wallMoment } from '../../common/core/fill-window.ts';

const dayMs = 86_400_000;
/** Nights change hands when nobody fills: after the last window has closed, before the first opens. */
const endOfNightMs = 18 * 3_600_000;

/**
 * The night of a date, as a fill report means it: from 18:00 of the day before to 18:00 of the date, by the wall clock of the
 * zone. Undefined where the text is no date (`2026-11-21`).
 */
export function nightOf(date: string, timeZone: string): { sinceMs: number; untilMs: number } | undefined {
  const midnightMs = Date.parse(`${date}T00:00:00Z`);
  // Date.parse takes 30 February for 2 March.
  if (Number.isNaN(midnightMs) || new Date(midnightMs).toISOString().slice(0, 10) !== date) return undefined;
  const endMs = midnightMs + endOfNightMs;
  return { sinceMs: wallMoment(timeZone, endMs - dayMs), untilMs: wallMoment(timeZone, endMs) };
}
