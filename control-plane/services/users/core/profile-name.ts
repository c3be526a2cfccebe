import { plainLine } from '../../../../common/core/plain-text.ts';
import type { Result } from '../../../../common/core/result.ts';

const rules = { what: 'the name', code: 'INVALID', lettersMax: 40 } as const;

/** A profile's name as it is kept: a plain line (see `plainLine`) of at most 40 letters. Refuses INVALID. */
export function profileName(typed: string): Result<string> {
  return plainLine(typed, rules);
}

/** By what two names are one: letters that look alike in width, case or composition (Unicode TR 15, NFKC). */
export function nameKey(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}
