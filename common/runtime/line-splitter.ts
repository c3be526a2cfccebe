import { StringDecoder } from 'node:string_decoder';

/** No line of what was recorded is longer; what is, is no text. */
const lineCharactersMax = 64 * 1024;

/** What is thrown: where something is wrong, what, and what to do. */
type Invalid = (where: string, detail: string) => Error;

/** Makes lines of bytes as they come, without their ends (LF or CR LF). Lines are counted from 1. */
export class LineSplitter {
  readonly #invalid: Invalid;
  readonly #onLine: (line: string, number: number) => void;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #number = 0;

  constructor(invalid: Invalid, onLine: (line: string, number: number) => void) {
    this.#invalid = invalid;
    this.#onLine = onLine;
  }

  /** Takes the next bytes. Throws for a line that is too long to be one. */
  push(bytes: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(bytes)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(line);
    if (this.#rest.length > lineCharactersMax)
      throw this.#invalid(
        `line ${this.#number + 1}`,
        'does not end: this is no text, or it is compressed and its name does not end in .zst or .gz',
      );
  }

  /** There are no more bytes: what is left is the last line. */
  end(): void {
    const last = this.#rest + this.#decoder.end();
    this.#rest = '';
    if (last !== '') this.#take(last);
  }

  #take(line: string): void {
    this.#number++;
    this.#onLine(line.endsWith('\r') ? line.slice(0, -1) : line, this.#number);
  }
}
