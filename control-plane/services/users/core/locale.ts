import { isTimeZone } from '../../../../common/core/fill-window.ts';
import { ok, refused, type Result } from '../../../../common/core/result.ts';

/** A language as BCP 47 writes it: `en-GB` of `EN-gb`. Refuses INVALID for what is no language tag. */
export function languageOf(tag: string): Result<string> {
  try {
    const [canonical] = Intl.getCanonicalLocales(tag);
    if (canonical !== undefined) return ok(canonical);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return refused('INVALID', `language: ${tag} is no language like en or pt-BR`);
}

/** A time zone that there is. Refuses INVALID. */
export function timeZoneOf(name: string): Result<string> {
  return isTimeZone(name) ? ok(name) : refused('INVALID', `timeZone: there is no ${name}`);
}
