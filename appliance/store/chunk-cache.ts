import { LRUCache } from 'lru-cache';

import { chunkSizeBytes } from '../../common/core/chunk-tree.ts';
import { SingleFlight } from '../../common/core/single-flight.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { OpenContent, Piece } from './content.ts';

/** Verified chunks, the latest kept in memory; those who want the same one at once share one load of it. */
export class ChunkCache {
  readonly #pool: BufferPool;
  readonly #chunks: LRUCache<string, Buffer>;
  readonly #loads = new SingleFlight<Buffer>();

  constructor(options: { cacheBytes: number; pool: BufferPool }) {
    this.#pool = options.pool;
    this.#chunks = new LRUCache({
      maxSize: options.cacheBytes,
      sizeCalculation: (chunk) => chunk.length + 128,
    });
  }

  has(file: string, index: number): boolean {
    return this.#chunks.has(chunkId(file, index));
  }

  /** A piece of one chunk, from the position on: at most `lengthBytes`. `load` gives the whole chunk, verified, or throws. */
  async read(
    from: { file: string; positionBytes: number; lengthBytes: number },
    load: (index: number) => Promise<Buffer>,
  ): Promise<Piece> {
    const index = Math.floor(from.positionBytes / chunkSizeBytes);
    const id = chunkId(from.file, index);
    const chunk =
      this.#chunks.get(id) ?? (await this.#loads.run(id, () => this.#load(id, () => load(index))));
    const start = from.positionBytes - index * chunkSizeBytes;
    return this.#lend(chunk.subarray(start, start + from.lengthBytes));
  }

  /** A chunk list, which is in memory whole, as content. */
  openDescriptor(descriptor: Uint8Array, lastModifiedMs: number): OpenContent {
    return {
      sizeBytes: descriptor.length,
      lastModifiedMs,
      isLocal: () => true,
      read: (positionBytes, lengthBytes) =>
        Promise.resolve(this.#lend(descriptor.subarray(positionBytes, positionBytes + lengthBytes))),
      release: () => undefined,
    };
  }

  /** Copied: a slow client would otherwise keep a whole chunk in memory for each few bytes that it reads. */
  #lend(bytes: Uint8Array): Piece {
    const loan = this.#pool.lend(bytes.length);
    const count = Math.min(bytes.length, loan.buffer.length);
    loan.buffer.set(bytes.subarray(0, count));
    return loan.piece(count);
  }

  async #load(id: string, load: () => Promise<Buffer>): Promise<Buffer> {
    const chunk = await load();
    this.#chunks.set(id, chunk);
    return chunk;
  }
}

function chunkId(file: string, index: number): string {
  return `${file}/${index}`;
}
