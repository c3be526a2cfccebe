import { isTimeZone } from '../../../../common/core/fill-window.ts';
import { ok, refused, type Result } from '../../../../common/core/result.ts';

/** A time zone that there is. Refuses INVALID. */
export function timeZoneOf(name: string): Result<string> {
  return isTimeZone(name) ? ok(name) : refused('INVALID', `timeZone: there is no ${name}`);
}
