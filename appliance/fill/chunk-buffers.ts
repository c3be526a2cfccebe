import { chunkSizeBytes } from '../../common/core/chunk-tree.ts';
import { assert } from '../../common/runtime/errors.ts';
import { pageAligned } from '../store/page-aligned.ts';

/**
 * Memory for chunks that are being received, verified and written: so many, and no more. All of them begin on a page, which
 * writes around the page cache demand. Pages that were never used cost nothing.
 */
export class ChunkBuffers {
  readonly #idle: Buffer[];
  #waiting: (() => void)[] = [];

  constructor(count: number) {
    const memory = pageAligned(count * chunkSizeBytes);
    this.#idle = Array.from({ length: count }, (_, at) =>
      memory.subarray(at * chunkSizeBytes, (at + 1) * chunkSizeBytes),
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
}
