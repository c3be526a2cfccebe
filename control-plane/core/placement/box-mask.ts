/** Which boxes of a cluster have which files: a bit for each pair. */
export class BoxMask {
  /** How many words of 32 boxes each a file has. */
  readonly wordCount: number;
  /** From one file's words to the next one's. */
  readonly #stride: number;
  readonly #bits: Uint32Array;

  constructor(
    { fileCount, boxCount }: { fileCount: number; boxCount: number },
    within?: { bits: Uint32Array; stride: number },
  ) {
    this.wordCount = Math.ceil(boxCount / 32);
    this.#stride = within?.stride ?? this.wordCount;
    this.#bits = within?.bits ?? new Uint32Array(fileCount * this.wordCount);
  }

  /** Two masks of the same files side by side in memory, for those who ask both of a file. */
  static pair(size: { fileCount: number; boxCount: number }): [BoxMask, BoxMask] {
    const words = Math.ceil(size.boxCount / 32);
    const stride = 2 * words;
    const bits = new Uint32Array(size.fileCount * stride);
    return [new BoxMask(size, { bits, stride }), new BoxMask(size, { bits: bits.subarray(words), stride })];
  }

  add(file: number, box: number): void {
    const at = file * this.#stride + (box >>> 5);
    this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (box & 31));
  }

  has(file: number, box: number): boolean {
    return ((this.#bits[file * this.#stride + (box >>> 5)] ?? 0) & (1 << (box & 31))) !== 0;
  }

  /** A bit for each of 32 boxes: of the first ones, of the next, and so on. */
  word(file: number, number = 0): number {
    return this.#bits[file * this.#stride + number] ?? 0;
  }

  /** How many boxes have it. */
  count(file: number): number {
    let sum = 0;
    const start = file * this.#stride;
    for (let at = start; at < start + this.wordCount; at++) sum += bitsOf(this.#bits[at] ?? 0);
    return sum;
  }

  /** Whether any box has it. */
  any(file: number): boolean {
    const start = file * this.#stride;
    for (let at = start; at < start + this.wordCount; at++) if (this.#bits[at] !== 0) return true;
    return false;
  }
}

/** How many bits of a word are set (Hacker's Delight, 5-1). */
function bitsOf(word: number): number {
  if (word === 0) return 0;
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
