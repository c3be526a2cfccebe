import type { Piece } from './content.ts';

/** What a pool lends: a buffer and the way to give it back. */
export interface Loan {
  readonly buffer: Buffer;
  /** The first `lengthBytes` of the buffer as a piece that gives the buffer back. */
  piece(lengthBytes: number): Piece;
  giveBack(): void;
}

/**
 * Buffers for reads. Up to `budgetBytes` are lent in full size; beyond that, when many slow clients hold theirs, only
 * small ones, so that thousands of stalled connections cost little memory.
 */
export class BufferPool {
  readonly #sizeBytes: number;
  readonly #smallBytes: number;
  readonly #budgetBytes: number;
  readonly #idle: Buffer[] = [];
  readonly #idleMax: number;
  #lentBytes = 0;

  constructor(options: { sizeBytes: number; smallBytes: number; budgetBytes: number; idleBytesMax: number }) {
    this.#sizeBytes = options.sizeBytes;
    this.#smallBytes = options.smallBytes;
    this.#budgetBytes = options.budgetBytes;
    this.#idleMax = Math.floor(options.idleBytesMax / options.sizeBytes);
  }

  /** Bytes that are lent now. */
  get lentBytes(): number {
    return this.#lentBytes;
  }

  /** Lends a buffer for `wantedBytes` or as many as the budget allows. */
  lend(wantedBytes: number): Loan {
    const small = wantedBytes <= this.#smallBytes || this.#lentBytes + this.#sizeBytes > this.#budgetBytes;
    const buffer = small
      ? Buffer.allocUnsafeSlow(Math.min(wantedBytes, this.#smallBytes))
      : (this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.#sizeBytes));
    this.#lentBytes += buffer.length;
    let lent = true;
    const giveBack = (): void => {
      if (!lent) return;
      lent = false;
      this.#lentBytes -= buffer.length;
      if (buffer.length === this.#sizeBytes && this.#idle.length < this.#idleMax) this.#idle.push(buffer);
    };
    return {
      buffer,
      giveBack,
      piece: (lengthBytes) => ({ bytes: buffer.subarray(0, lengthBytes), release: giveBack }),
    };
  }
}
