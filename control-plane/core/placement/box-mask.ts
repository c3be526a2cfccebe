/** Which boxes of a cluster have which files: a bit for each pair. */
export class BoxMask {
  readonly #words: number;
  readonly #bits: Uint32Array;

  constructor({ fileCount, boxCount }: { fileCount: number; boxCount: number }) {
    this.#words = Math.ceil(boxCount / 32);
    this.#bits = new Uint32Array(fileCount * this.#words);
  }

  add(file: number, box: number): void {
    const at = file * this.#words + (box >>> 5);
    this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (box & 31));
  }

  has(file: number, box: number): boolean {
    return ((this.#bits[file * this.#words + (box >>> 5)] ?? 0) & (1 << (box & 31))) !== 0;
  }

  /** Whether any box has it. */
  any(file: number): boolean {
    const end = (file + 1) * this.#words;
    for (let at = file * this.#words; at < end; at++) if (this.#bits[at] !== 0) return true;
    return false;
  }
}
