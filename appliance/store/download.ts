import { chunkCount, type ChunkTree } from '../../common/core/chunk-tree.ts';
import { coded } from '../../common/runtime/errors.ts';
import { ChunkMap } from '../core/chunk-map.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';
import type { DiskWriter } from './disk-writer.ts';

/** A download under way, as those see it who bring its chunks. Only chunks that match the chunk list are ever written. */
export interface PartialFile {
  readonly file: string;
  readonly tree: ChunkTree;
  /** Which chunks are there. */
  readonly chunks: ChunkMap;
  /** Bytes that were there already when it was opened. */
  readonly resumedBytes: number;
  /** Memory for its chunks: what is put together there is not copied on its way to the disk. */
  readonly buffers: ChunkBuffers;
  /** Where it lies until it is whole, for others to read what is there. */
  readonly paths: { readonly content: string; readonly descriptor: string };
  /** Its disk has let go of it: what is there may be resumed, this is of no use any more. */
  readonly isOver: boolean;
  /** Verifies a chunk and writes it at its place; false when it does not match, and nothing is written. */
  put(index: number, chunk: Uint8Array): Promise<boolean>;
  isWhole(): boolean;
}

export interface DownloadOptions {
  file: string;
  tree: ChunkTree;
  paths: PartialFile['paths'];
  /** What is there already; nothing of a new one. */
  resumed?: { readonly bits: Uint8Array; readonly resumedBytes: number } | undefined;
  buffers: ChunkBuffers;
  put: DiskWriter['put'];
}

/** A download on a disk, until the disk lets go of it. */
export class Download implements PartialFile {
  readonly file: string;
  readonly tree: ChunkTree;
  readonly chunks: ChunkMap;
  readonly resumedBytes: number;
  readonly buffers: ChunkBuffers;
  readonly paths: PartialFile['paths'];
  readonly #put: DiskWriter['put'];
  #isOver = false;

  constructor({ file, tree, paths, resumed, buffers, put }: DownloadOptions) {
    this.file = file;
    this.tree = tree;
    this.paths = paths;
    this.buffers = buffers;
    this.chunks = new ChunkMap(chunkCount(tree.sizeBytes), resumed?.bits);
    this.resumedBytes = resumed?.resumedBytes ?? 0;
    this.#put = put;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Errors: the disk's; DISK_GONE once the disk has let go of it. */
  async put(index: number, chunk: Uint8Array): Promise<boolean> {
    if (this.#isOver) throw coded('DISK_GONE', `the download of ${this.file} has ended`);
    const isGood = await this.#put(this.file, index, chunk);
    if (isGood) this.chunks.add(index);
    return isGood;
  }

  isWhole(): boolean {
    return this.chunks.size === this.chunks.count;
  }

  /** The disk lets go of it. */
  end(): void {
    this.#isOver = true;
  }
}
