import type { ProblemCode } from '../contract/problem.ts';
import { ok, refused, type Result } from './result.ts';

/** What a text is called where it is refused, by which code, and how long it may be. */
export interface PlainTextRules {
  readonly what: string;
  readonly code: ProblemCode;
  readonly lettersMax: number;
}

// The longest of Unicode's recommended emoji sequences have ten code points; stacks of accents have more.
const codePointsOfLetterMax = 12;
// Made when the first text comes: making it takes as long as a hundred modules do to load.
let segmenter: Intl.Segmenter | undefined;

// What turns or hides text. Joiners stay: Persian and the scripts of India are written with them, and families of emoji; so do tags,
// of which some flags are made.
const hostile = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]|(?!\p{Join_Control}|[\u{e0020}-\u{e007f}])\p{Cf}/u;
const visible = /[\p{L}\p{N}\p{P}\p{S}]/u;

/**
 * A line as it is kept: NFC, without spaces around, in any script and with emoji; markup in it is text like any other. Refuses, by the
 * code of the rules, text that is empty to the eye, controls, marks that turn the direction (Unicode TR 36 §2.10) or have no width,
 * half characters, stacks of accents, and more letters than the rules allow.
 */
export function plainLine(typed: string, rules: PlainTextRules): Result<string> {
  const { what, code, lettersMax } = rules;
  const line = typed.normalize('NFC').trim().replaceAll(/\s+/gu, ' ');
  if (hostile.test(line)) return refused(code, `${what} has characters that cannot be shown`);
  if (!visible.test(line)) return refused(code, `${what} has nothing to be seen`);
  segmenter ??= new Intl.Segmenter('und', { granularity: 'grapheme' });
  const letters = [...segmenter.segment(line)].map(({ segment }) => segment);
  if (letters.length > lettersMax) return refused(code, `${what} is longer than ${lettersMax} letters`);
  if (letters.some((letter) => Array.from(letter).length > codePointsOfLetterMax))
    return refused(code, `${what} has more accents on a letter than can be shown`);
  return ok(line);
}

/** Lines as they are kept, each as by `plainLine`; between paragraphs at most one is empty. */
export function plainText(typed: string, rules: PlainTextRules): Result<string> {
  const lines: string[] = [];
  for (const typedLine of typed.trim().split(/\r?\n/)) {
    if (typedLine.trim() === '' && lines.length > 0) {
      if (lines.at(-1) !== '') lines.push('');
      continue;
    }
    const line = plainLine(typedLine, rules);
    if (!line.ok) return line;
    lines.push(line.value);
  }
  return ok(lines.join('\n'));
}
