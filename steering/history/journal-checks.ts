import { crc32 } from 'node:zlib';

/** Begins a line that checks those before it; no record begins with it. */
export const checkMark = '#';

/** The last line of a segment whose end was written. */
export const endLine = `${checkMark}end`;

/**
 * The line that stands behind what was written together (text with its newlines, in any number of pieces): zstd finds damage in a
 * frame at its end, if at all, and what a journal tells is to be sound when it is read.
 */
export function checkOf(pieces: Iterable<string>): string {
  let sum = 0;
  for (const piece of pieces) sum = crc32(piece, sum);
  return `${checkMark}${sum.toString(16).padStart(8, '0')}`;
}
