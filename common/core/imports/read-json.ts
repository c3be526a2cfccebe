import { brokenLine, entryCharactersMax, type ImportLine } from './lines.ts';

/**
 * The titles of a JSON file: an array of `ImportEntry`, or one behind the other (JSON Lines). Each is read by itself: where one is
 * broken, reading goes on behind it; where one is never closed, with the next line that begins an object no further in. Its time
 * grows with the text and not faster, whatever is broken.
 */
export function* readJson(text: string, file: string): Generator<ImportLine> {
  let line = 1;
  let counted = 0;
  let isEmpty = true;
  const lineAt = (at: number): number => {
    for (; counted < at; counted++) if (text[counted] === '\n') line++;
    return line;
  };
  const objects = new Objects(text);
  const next = /\{/g;
  for (let found = next.exec(text); found !== null; found = next.exec(text)) {
    isEmpty = false;
    const start = found.index;
    const here = { file, line: lineAt(start) };
    const end = objects.endOf(start);
    const entry = end === undefined ? undefined : parsed(text.slice(start, end));
    if (entry === undefined)
      yield brokenLine(here, `this is no JSON object of at most ${entryCharactersMax} characters`);
    else yield { ...here, read: { entry } };
    next.lastIndex = end ?? resumeAt(text, start);
  }
  if (isEmpty) yield brokenLine({ file, line: 1 }, 'there are no JSON objects in it');
}

/** Twice as many as may still be asked for: so that what is let go is paid for by what came. */
const heldMax = 2 * entryCharactersMax;

/** Finds the ends of objects in one walk over their text, each character once; a string ends with its line at the latest. */
class Objects {
  readonly #text: string;
  /** Where objects have begun that are still open, and may still end within their most. */
  #open: number[] = [];
  #ends = new Map<number, number>();
  #at = 0;
  #inString = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** Behind the brace that closes the object at `start`; undefined where that is too far or never. Asked in the order of the text. */
  endOf(start: number): number | undefined {
    // What stands between two objects has no say in what begins there.
    if (this.#at <= start) this.#restart(start);
    if (this.#ends.size > heldMax) this.#ends = new Map([...this.#ends].filter(([known]) => known >= start));
    const until = Math.min(this.#text.length, start + entryCharactersMax);
    while (this.#at < until && !this.#ends.has(start)) this.#step();
    return this.#ends.get(start);
  }

  #restart(at: number): void {
    this.#at = at;
    this.#inString = false;
    this.#open = [];
    this.#ends.clear();
  }

  #step(): void {
    const character = this.#text[this.#at];
    if (this.#inString) {
      if (character === '\\') this.#at++;
      else if (character === '"' || character === '\n') this.#inString = false;
    } else if (character === '"') this.#inString = true;
    else if (character === '{') this.#begin();
    else if (character === '}') {
      const start = this.#open.pop();
      if (start !== undefined) this.#ends.set(start, this.#at + 1);
    }
    this.#at++;
  }

  #begin(): void {
    if (this.#open.length >= heldMax)
      this.#open = this.#open.filter((start) => this.#at - start < entryCharactersMax);
    this.#open.push(this.#at);
  }
}

function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function resumeAt(text: string, start: number): number {
  const lineStart = text.lastIndexOf('\n', start) + 1;
  const indent = start - lineStart;
  const begins = /\n([ \t[,]*)\{/g;
  begins.lastIndex = start;
  for (let found = begins.exec(text); found !== null; found = begins.exec(text))
    if ((found[1] ?? '').length <= indent) return found.index + found[0].length - 1;
  return text.length;
}
