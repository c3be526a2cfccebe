import { verifyChunk, type ChunkTree } from '../../common/core/chunk-tree.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { ChunkMap } from '../core/chunk-map.ts';
import type { PartialFile } from '../store/download.ts';

/** A download that several work on at once. What one of them has brought is not written again by the other. */
export class SharedPartial implements PartialFile {
  readonly file: string;
  readonly tree: ChunkTree;
  readonly chunks: ChunkMap;
  readonly resumedBytes: number;
  readonly buffers: PartialFile['buffers'];
  readonly paths: PartialFile['paths'];
  /** The store's own. */
  readonly inner: PartialFile;
  readonly #writes = new Set<Promise<boolean>>();
  #state: 'open' | 'ended' | 'gone' = 'open';

  constructor(inner: PartialFile) {
    this.inner = inner;
    this.file = inner.file;
    this.tree = inner.tree;
    this.chunks = inner.chunks;
    this.resumedBytes = inner.resumedBytes;
    this.buffers = inner.buffers;
    this.paths = inner.paths;
  }

  /** It is neither given up nor on its way to be held. */
  get isOpen(): boolean {
    return this.#state === 'open' && !this.isOver;
  }

  get isOver(): boolean {
    return this.inner.isOver;
  }

  /** It was given up with its bytes, or its disk has let go of it. */
  get isGone(): boolean {
    return this.#state === 'gone' || (this.isOver && this.#state === 'open');
  }

  isWhole(): boolean {
    return this.inner.isWhole();
  }

  /** As the store's; ABORTED where the download was given up meanwhile. */
  async put(index: number, chunk: Uint8Array): Promise<boolean> {
    if (this.#state === 'gone') throw coded('ABORTED', `the download of ${this.file} was given up`);
    if (this.#state === 'ended' || this.chunks.has(index)) return verifyChunk(this.tree, index, chunk);
    const write = this.inner.put(index, chunk);
    this.#writes.add(write);
    try {
      return await write;
    } finally {
      this.#writes.delete(write);
    }
  }

  /** Nothing is written any more once this resolves. */
  async end(how: 'whole' | 'gone'): Promise<void> {
    this.#state = how === 'gone' ? 'gone' : 'ended';
    await Promise.allSettled(this.#writes);
  }
}
