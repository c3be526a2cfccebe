import { wallMoment } from './fill-window.ts';
import { ok, refused, type Result } from './result.ts';

const timeText = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2}))?(Z|[+-]\d{2}:\d{2})?$/;

/**
 * The moment that a text names, in Unix milliseconds: `2026-12-24 02:00` by the wall clock of a time zone, or with an offset of
 * its own, `2026-12-24T02:00+01:00` or `…Z`. A time that a change of the clocks leaves out is the moment of the change, one
 * that comes twice is the first. Refuses INVALID, also a time without offset where no zone is given: nobody shall guess.
 *
 * @throws RangeError for a time zone that `isTimeZone` does not know.
 */
export function parseMoment(text: string, timeZone?: string): Result<number> {
  const match = timeText.exec(text.trim());
  if (match === null) return refused('INVALID', `${text} is no time like 2026-12-24 02:00`);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part: string | undefined) => Number(part ?? 0));
  const wallMs = Date.UTC(year, month - 1, day, hour, minute, second);
  const isReal = new Date(wallMs)
    .toISOString()
    .startsWith(`${match[1] ?? ''}-${match[2] ?? ''}-${match[3] ?? ''}T${match[4] ?? ''}:${match[5] ?? ''}`);
  if (!isReal) return refused('INVALID', `there is no ${text}`);
  const offset = match[7];
  if (offset !== undefined) return ok(wallMs - offsetMs(offset));
  if (timeZone === undefined)
    return refused('INVALID', `${text} needs a time zone, or an offset like +01:00 or Z`);
  return ok(wallMoment(timeZone, wallMs));
}

function offsetMs(offset: string): number {
  if (offset === 'Z') return 0;
  const [hours = 0, minutes = 0] = offset.slice(1).split(':').map(Number);
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
