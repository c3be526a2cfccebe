import { chunkSizeBytes } from '../../common/core/chunk-tree.ts';
import { assert } from '../../common/runtime/errors.ts';

/** Memory for chunks that are being received, verified and written: so many, and no more. Pages that were never used cost nothing. */
export class ChunkBuffers {
  readonly #memory: Buffer;
  readonly #idle: Buffer[];
  #waiting: (() => void)[] = [];

  /** @param memory begins on a page, which writes around the page cache demand. */
  constructor(memory: Buffer) {
    this.#memory = memory;
    const count = Math.floor(memory.length / chunkSizeBytes);
    // The first is lent first, and again as soon as it is back: the others' pages stay untouched.
    this.#idle = Array.from({ length: count }, (_, at) =>
      memory.subarray((count - 1 - at) * chunkSizeBytes, (count - at) * chunkSizeBytes),
    );
  }

  /** One to be filled; undefined while all are in use. */
  take(): Buffer | undefined {
    return this.#idle.pop();
  }

  giveBack(buffer: Buffer): void {
    assert(buffer.length === chunkSizeBytes, 'a buffer comes back as it was lent');
    this.#idle.push(buffer);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves when one comes back; whoever is first has it. */
  returned(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Which of the buffers a chunk lies in, from 0; undefined for other memory. */
  placeOf(chunk: Uint8Array): number | undefined {
    const { buffer, byteOffset } = this.#memory;
    return chunk.buffer === buffer ? (chunk.byteOffset - byteOffset) / chunkSizeBytes : undefined;
  }
}
