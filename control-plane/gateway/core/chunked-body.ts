// No honest service writes longer ones.
const LINE_BYTES_MAX = 1024;
const TRAILER_BYTES_MAX = 8192;

// RFC 9112 §7.1, with extensions, which are left out of account (§7.1.1).
const sizeLine = /^([0-9A-Fa-f]{1,12})[\t ]*(?:;[\t -~\x80-\xff]*)?$/;
const fieldLine = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*$/;

/**
 * Reads a body in chunks (RFC 9112 §7.1) out of pieces of any size. Trailers are dropped, as a proxy may (§7.1.2). `data` is called
 * with each part of the body, which is of the piece's memory.
 */
export class ChunkedBody {
  readonly #data: (part: Buffer) => void;
  #state: 'size' | 'data' | 'data-end' | 'trailer' | 'over' | 'wrong' = 'size';
  #line = '';
  #left = 0;
  #trailerBytes = 0;

  constructor(data: (part: Buffer) => void) {
    this.#data = data;
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Reads a piece. @returns how many of its bytes are the body's, fewer only where that has ended; -1 where it is none. */
  read(piece: Buffer): number {
    let at = 0;
    while (at < piece.length && !this.isOver) {
      at = this.#state === 'data' ? this.#readData(piece, at) : this.#readLine(piece, at);
      if (this.#state === 'wrong') return -1;
    }
    return at;
  }

  #readData(piece: Buffer, at: number): number {
    const end = Math.min(piece.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#state = 'data-end';
    this.#data(piece.subarray(at, end));
    return end;
  }

  #readLine(piece: Buffer, at: number): number {
    const feed = piece.indexOf(0x0a, at);
    const end = feed === -1 ? piece.length : feed + 1;
    this.#line += piece.toString('latin1', at, end);
    if (this.#line.length > LINE_BYTES_MAX) this.#state = 'wrong';
    else if (feed !== -1) this.#take(this.#line);
    return end;
  }

  #take(line: string): void {
    this.#line = '';
    this.#state = line.endsWith('\r\n') ? this.#after(line.slice(0, -2)) : 'wrong';
  }

  #after(line: string): 'size' | 'data' | 'trailer' | 'over' | 'wrong' {
    if (this.#state === 'data-end') return line === '' ? 'size' : 'wrong';
    if (this.#state === 'trailer') {
      this.#trailerBytes += line.length;
      if (line === '') return 'over';
      return fieldLine.test(line) && this.#trailerBytes <= TRAILER_BYTES_MAX ? 'trailer' : 'wrong';
    }
    const [, size] = sizeLine.exec(line) ?? [];
    if (size === undefined) return 'wrong';
    this.#left = Number.parseInt(size, 16);
    return this.#left === 0 ? 'trailer' : 'data';
  }
}
