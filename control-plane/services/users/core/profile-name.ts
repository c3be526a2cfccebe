import { ok, refused, type Result } from '../../../../common/core/result.ts';

const lettersMax = 40;
// The longest of Unicode's recommended emoji sequences have ten code points; stacks of accents have more.
const codePointsOfLetterMax = 12;
const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });

// What turns or hides text. Joiners stay: Persian and the scripts of India are written with them, and families of emoji; so do tags,
// of which some flags are made.
const hostile = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]|(?!\p{Join_Control}|[\u{e0020}-\u{e007f}])\p{Cf}/u;
const visible = /[\p{L}\p{N}\p{P}\p{S}]/u;

/**
 * A profile's name as it is kept: NFC, without spaces around, in any script and with emoji. Refuses INVALID for text that is empty to
 * the eye, controls, marks that turn the direction (Unicode TR 36 §2.10), half characters, stacks of accents, more than 40 letters.
 */
export function profileName(typed: string): Result<string> {
  const name = typed.normalize('NFC').trim().replaceAll(/\s+/gu, ' ');
  if (hostile.test(name)) return refused('INVALID', 'the name has characters that cannot be shown');
  if (!visible.test(name)) return refused('INVALID', 'the name has nothing to be seen');
  const letters = [...segmenter.segment(name)].map(({ segment }) => segment);
  if (letters.length > lettersMax) return refused('INVALID', `the name is longer than ${lettersMax} letters`);
  if (letters.some((letter) => Array.from(letter).length > codePointsOfLetterMax))
    return refused('INVALID', 'the name has more accents on a letter than can be shown');
  return ok(name);
}

/** By what two names are one: letters that look alike in width, case or composition (Unicode TR 15, NFKC). */
export function nameKey(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}
