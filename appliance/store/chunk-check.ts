import { constants } from 'node:fs';
import { link, open, readFile, rm, type FileHandle } from 'node:fs/promises';

import {
  chunkCount,
  chunkLengthBytes,
  chunkSizeBytes,
  openDescriptor,
  verifyChunk,
  type ChunkTree,
} from '../../common/core/chunk-tree.ts';
import { syncDirectory } from '../../common/runtime/durable.ts';
import { systemCode } from '../../common/runtime/errors.ts';
import { ChunkMap } from '../core/chunk-map.ts';
import type { DiskLayout } from './disk-layout.ts';
import { replaceFile } from './durable.ts';
import { isDiskError } from './failure.ts';
import { pageAligned } from './page-aligned.ts';

/** Past the page cache, or as readers get it. */
export type ReadBy = 'disk' | 'cache';

const alignedBytes = 4096;

/** Verifies chunks of held files of one disk, one at a time. */
export class ChunkChecker {
  readonly #layout: DiskLayout;
  /** Of the file that was looked at last. */
  #tree: { readonly file: string; readonly tree: ChunkTree } | undefined;
  #buffer: Buffer | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(layout: DiskLayout) {
    this.#layout = layout;
  }

  /**
   * Whether a chunk is right; one that the disk does not give, or that its chunk list no longer vouches for, is not.
   * Rejects with the system's error where the file cannot be asked for another reason.
   */
  isGood(file: string, index: number, by: ReadBy): Promise<boolean> {
    const check = this.#turn.then(() => this.#check(file, index, by));
    this.#turn = check.catch(() => undefined);
    return check;
  }

  async #check(file: string, index: number, by: ReadBy): Promise<boolean> {
    try {
      const tree = await this.#treeOf(file);
      if (tree === undefined) return false;
      const chunk = await this.#read(this.#layout.content(file), { tree, index, by });
      return verifyChunk(tree, index, chunk);
    } catch (error) {
      if (isDiskError(error)) return false;
      throw error;
    }
  }

  async #treeOf(file: string): Promise<ChunkTree | undefined> {
    if (this.#tree?.file === file) return this.#tree.tree;
    const opened = openDescriptor(file, await readFile(this.#layout.descriptor(file)));
    if (!opened.ok) return undefined;
    this.#tree = { file, tree: opened.value };
    return opened.value;
  }

  async #read(path: string, what: { tree: ChunkTree; index: number; by: ReadBy }): Promise<Buffer> {
    const { tree, index, by } = what;
    const lengthBytes = chunkLengthBytes(tree.sizeBytes, index);
    const buffer = (this.#buffer ??= pageAligned(chunkSizeBytes));
    if (by === 'disk') {
      const wholePages = Math.ceil(lengthBytes / alignedBytes) * alignedBytes;
      const got = await readDirect(path, buffer.subarray(0, wholePages), index * chunkSizeBytes);
      if (got !== undefined) return buffer.subarray(0, Math.min(got, lengthBytes));
    }
    const handle = await open(path, 'r');
    try {
      const { bytesRead } = await handle.read(buffer, 0, lengthBytes, index * chunkSizeBytes);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }
}

/** Reads past the page cache; undefined where the file system does not (tmpfs, some network ones). */
async function readDirect(path: string, buffer: Buffer, positionBytes: number): Promise<number | undefined> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_DIRECT);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, positionBytes);
    return bytesRead;
  } catch (error) {
    if (systemCode(error) === 'EINVAL') return undefined;
    throw error;
  } finally {
    await handle?.close();
  }
}

/**
 * Makes a held file a download again, all of whose chunks are said to be there: whoever resumes it verifies them and fetches
 * those that are not right. Both names stand for a moment; a scan that meets both believes the download.
 */
export async function sendBack(layout: DiskLayout, file: string, sizeBytes: number): Promise<void> {
  const to = layout.partial(file);
  const chunks = new ChunkMap(chunkCount(sizeBytes));
  for (let index = 0; index < chunks.count; index++) chunks.add(index);
  await Promise.all([to.content, to.descriptor].map((path) => rm(path, { force: true })));
  await link(layout.content(file), to.content);
  await link(layout.descriptor(file), to.descriptor);
  // Last: without it the others are leftovers.
  await replaceFile(to.map, chunks.bits);
  await removeHeld(layout, file);
}

/** Deletes a held file for good. */
export async function removeHeld(layout: DiskLayout, file: string): Promise<void> {
  await rm(layout.content(file), { force: true });
  await rm(layout.descriptor(file), { force: true });
  await syncDirectory(layout.folder(file));
}
