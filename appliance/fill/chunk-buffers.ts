import { chunkSizeBytes } from '../../common/core/chunk-tree.ts';
import { assert } from '../../common/runtime/errors.ts';

// Node has it; the types of Node 26 do not.
declare const WebAssembly: {
  readonly Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
};
const wasmPageBytes = 64 * 1024;

/**
 * Memory for chunks that are being received, verified and written: so many, and no more. All of them begin on a page, which
 * writes around the page cache demand; only WebAssembly promises such memory without native code. Pages that were never
 * used cost nothing.
 */
export class ChunkBuffers {
  readonly #idle: Buffer[];
  #waiting: (() => void)[] = [];

  constructor(count: number) {
    const pages = (count * chunkSizeBytes) / wasmPageBytes;
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#idle = Array.from({ length: count }, (_, at) =>
      Buffer.from(buffer, at * chunkSizeBytes, chunkSizeBytes),
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
