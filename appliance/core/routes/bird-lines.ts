import { ok, refused, type Result } from '../../../common/core/result.ts';

/** Takes one line of a reply: its code, and what follows it. */
export type OnBirdLine = (code: number, text: string) => void;

// BIRD's own lines are at most 512 bytes.
const lineLengthMax = 4096;

/**
 * Reads replies of BIRD's control socket as they come in, in pieces of any size. A line is `NNNN-text`, or `NNNN text` for the
 * last of a reply; a line with the code of the one before may begin with a space in its place (BIRD, nest/cli.c).
 */
export class BirdLines {
  readonly #onLine: OnBirdLine;
  #rest = '';
  #code = 0;

  constructor(onLine: OnBirdLine) {
    this.#onLine = onLine;
  }

  /** Takes a piece; true once the last line of the reply was in it. Errors: ROUTE_SOURCE_UNREADABLE. */
  push(piece: string): Result<boolean> {
    const text = this.#rest + piece;
    let from = 0;
    let isLast = false;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      if (isLast) return refused('ROUTE_SOURCE_UNREADABLE', 'it says more than it was asked');
      if (text[from] === ' ') {
        this.#onLine(this.#code, text.slice(from + 1, end));
      } else if (text[from] !== '+') {
        // Lines with a plus are its log, which nobody asked for here.
        const code = codeAt(text, from);
        const sign = text[from + 4];
        if (code === undefined || (sign !== '-' && sign !== ' ') || from + 4 >= end)
          return refused('ROUTE_SOURCE_UNREADABLE', 'it does not speak like BIRD 2');
        this.#code = code;
        isLast = sign === ' ';
        this.#onLine(code, text.slice(from + 5, end));
      }
      from = end + 1;
    }
    this.#rest = text.slice(from);
    if (this.#rest.length > lineLengthMax) return refused('ROUTE_SOURCE_UNREADABLE', 'a line has no end');
    return ok(isLast);
  }
}

function codeAt(text: string, from: number): number | undefined {
  let code = 0;
  for (let at = from; at < from + 4; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    code = code * 10 + digit;
  }
  return code;
}

/** What a reply's code means: 0 done, 1 an entry of a table, 8 and 9 errors. */
export function isBirdError(code: number): boolean {
  return code >= 8000;
}
