import { ok, refused, type Result } from '../../../common/core/result.ts';

const objectLengthMax = 1024 * 1024;

/**
 * Finds the objects in a stream of JSON, in pieces of any size, whatever lists they stand in: so that one answer of a million
 * objects need never be in memory as a whole.
 */
export class JsonObjects {
  #rest = '';
  #depth = 0;
  #inString = false;
  #isEscaped = false;

  /** Takes a piece; gives the text of each object that ended in it. Errors: ROUTE_SOURCE_UNREADABLE. */
  push(piece: string): Result<string[]> {
    const found: string[] = [];
    let start = this.#depth > 0 ? 0 : -1;
    for (let at = 0; at < piece.length; at++) {
      const sign = piece[at];
      if (this.#inString) this.#stepInString(sign);
      else if (sign === '"') this.#inString = true;
      else if (sign === '{' && this.#depth++ === 0) start = at;
      else if (sign === '}' && this.#depth > 0 && --this.#depth === 0) {
        found.push(this.#rest + piece.slice(start, at + 1));
        this.#rest = '';
        start = -1;
      }
    }
    if (start >= 0) this.#rest += piece.slice(start);
    if (this.#rest.length > objectLengthMax)
      return refused('ROUTE_SOURCE_UNREADABLE', 'an object has no end');
    return ok(found);
  }

  #stepInString(sign: string | undefined): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (sign === '\\') this.#isEscaped = true;
    else if (sign === '"') this.#inString = false;
  }
}
