import type { CaptionKind } from '../../common/contract/bundle.ts';
import { ok, refused, type Result } from '../../common/core/result.ts';

/** What is made of captions at most. The longest films have some 3,000 cues of 60 characters. */
export const captionLimits = { sizeBytes: 4 * 1024 * 1024, cues: 20_000, cueCharacters: 2000 };

/**
 * What a text stream of a source may hold: its bytes with their styles and drawings, and those of one cue. ffmpeg takes time by the square
 * of a cue's length: for one of a megabyte minutes.
 */
export const captionStreamLimits = { sizeBytes: 16 * 1024 * 1024, cueBytes: 32 * 1024 };

/** A text stream of the source that becomes captions. */
export interface CaptionPlan {
  streamIndex: number;
  language: string;
  kind: CaptionKind;
}

/** Of the planned captions those with these numbers. */
export interface WantedCaptions {
  captions: readonly CaptionPlan[];
  wanted: readonly number[];
}

/** A bundle has no more. */
export const captionTracksMax = 32;

/** Which of the captions in a source are made beside those that lie by it: what somebody has put there counts, and a bundle has 32. */
export function besides(
  inside: readonly CaptionPlan[],
  beside: readonly Pick<CaptionPlan, 'language' | 'kind'>[],
): { kept: CaptionPlan[]; notices: string[] } {
  const isTaken = ({ language, kind }: CaptionPlan): boolean =>
    beside.some((other) => other.language === language && other.kind === kind);
  const free = inside.filter((one) => !isTaken(one));
  const kept = free.slice(0, Math.max(0, captionTracksMax - beside.length));
  const notices = inside
    .filter((one) => !kept.includes(one))
    .map((one) => {
      const why = isTaken(one) ? 'a file beside it has them' : `there are ${captionTracksMax} others`;
      return `captions in stream ${one.streamIndex} are left out: ${why} (${one.language} ${one.kind})`;
    });
  return { kept, notices };
}

/**
 * Writes WebVTT anew from WebVTT that ffmpeg made of a stranger's text: cues in the order of time, within the film, their text escaped
 * but for plain `<b>`, `<i>` and `<u>`. Nothing of styles, regions, notes, ids and settings is passed on.
 *
 * @param durationS of the film: what begins later is left out, what ends later ends with it
 * @returns the text; SOURCE_REFUSED where nothing is to be read in it, or more than the limits allow
 */
export function cleanCaptions(text: string, durationS: number): Result<string> {
  if (Buffer.byteLength(text) > captionLimits.sizeBytes) return tooMuch(`${captionLimits.sizeBytes} bytes`);
  const cues: Cue[] = [];
  for (const block of text.replace(/\r\n?/g, '\n').split(/\n{2,}/)) {
    const cue = readCue(block, Math.round(durationS * 1000));
    if (cue === undefined) continue;
    if (cues.length === captionLimits.cues) return tooMuch(`${captionLimits.cues} cues`);
    cues.push(cue);
  }
  if (cues.length === 0) return refused('SOURCE_REFUSED', 'nothing in it is to be read during the film');
  cues.sort((one, other) => one.startMs - other.startMs || one.endMs - other.endMs);
  const blocks = cues.map((cue) => `${timestamp(cue.startMs)} --> ${timestamp(cue.endMs)}\n${cue.text}\n`);
  const written = `WEBVTT\n\n${blocks.join('\n')}`;
  // Escapes make it longer.
  return Buffer.byteLength(written) > captionLimits.sizeBytes
    ? tooMuch(`${captionLimits.sizeBytes} bytes`)
    : ok(written);
}

function tooMuch(limit: string): Result<never> {
  return refused('SOURCE_REFUSED', `it has more than ${limit}, which no film needs`);
}

interface Cue {
  startMs: number;
  endMs: number;
  text: string;
}

const timing = /^((?:\d{1,4}:)?\d\d:\d\d\.\d{3})[ \t]+-->[ \t]+((?:\d{1,4}:)?\d\d:\d\d\.\d{3})(?:[ \t]|$)/;

function readCue(block: string, durationMs: number): Cue | undefined {
  const lines = block.split('\n');
  // An id may stand before the times.
  const at = lines.findIndex((line, index) => index < 2 && timing.test(line));
  const [, start, end] = timing.exec(lines[at] ?? '') ?? [];
  if (start === undefined || end === undefined) return undefined;
  const startMs = millisecondsOf(start);
  const endMs = Math.min(durationMs, millisecondsOf(end));
  const text = cleanText(lines.slice(at + 1).join('\n'));
  return startMs < endMs && text !== '' ? { startMs, endMs, text } : undefined;
}

/** Of `hours:minutes:seconds.milliseconds`, the hours where there are any. */
function millisecondsOf(time: string): number {
  return Math.round(time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1000);
}

const entities: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&nbsp;': ' ',
  '&lrm;': '',
  '&rlm;': '',
};
const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** Text with its own plain marks, each closed in the line that opened it; all other markup is gone, all other signs are escaped. */
function cleanText(text: string): string {
  const shown = text
    .slice(0, captionLimits.cueCharacters)
    .toWellFormed()
    // eslint-disable-next-line no-control-regex -- control characters and overrides of direction are what must not get through
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g, '');
  const lines = shown.split('\n').map((line) => cleanLine(line.trim()));
  return lines.filter((line) => line !== '').join('\n');
}

function cleanLine(line: string): string {
  const open: string[] = [];
  let written = '';
  let hasText = false;
  for (const piece of line.split(/(<[^<>]*>)/)) {
    const [, end, mark] = /^<(\/?)([biu])>$/.exec(piece) ?? [];
    if (mark !== undefined) {
      if (end === '' && !open.includes(mark)) {
        open.push(mark);
        written += piece;
      } else if (end === '/' && open.at(-1) === mark) {
        open.pop();
        written += piece;
      }
      continue;
    }
    if (/^<[^<>]*>$/.test(piece)) continue;
    const plain = piece.replace(/&[a-z]+;/g, (entity) => entities[entity] ?? entity);
    hasText ||= plain.trim() !== '';
    written += plain.replace(/[&<>]/g, (sign) => escapes[sign] ?? '');
  }
  return hasText
    ? written +
        open
          .toReversed()
          .map((mark) => `</${mark}>`)
          .join('')
    : '';
}

/** WebVTT §4.1: hours:minutes:seconds.milliseconds. */
function timestamp(timeMs: number): string {
  const pad = (value: number, length = 2): string => String(Math.floor(value)).padStart(length, '0');
  return `${pad(timeMs / 3_600_000)}:${pad((timeMs / 60_000) % 60)}:${pad((timeMs / 1000) % 60)}.${pad(timeMs % 1000, 3)}`;
}
