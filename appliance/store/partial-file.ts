import { writeSync } from 'node:fs';
import { lstat, open, readFile, rm, stat, type FileHandle } from 'node:fs/promises';

import {
  chunkCount,
  chunkLengthBytes,
  chunkSizeBytes,
  openDescriptor,
  verifyChunk,
  type ChunkTree,
} from '../../common/core/chunk-tree.ts';
import { syncDirectory } from '../../common/runtime/durable.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded, type CodedError } from '../../common/runtime/errors.ts';
import { ChunkMap } from '../core/chunk-map.ts';
import { ChunkFile, type WriteBehind } from './chunk-file.ts';
import type { DiskLayout } from './disk-layout.ts';
import { isAbsent, isDiskError } from './failure.ts';

/**
 * A download under way. Only chunks that match the chunk list are ever written, so what is there is right; which ones
 * are there is kept beside them, for the next start.
 */
export interface PartialOnDisk {
  readonly file: string;
  readonly tree: ChunkTree;
  /** Which chunks are there. */
  readonly chunks: ChunkMap;
  /** Bytes that were there already when it was opened. */
  readonly resumedBytes: number;
  /** Bytes that were written since it was opened, and how long the disk took for them. */
  readonly writtenBytes: number;
  readonly spentMs: number;
  /** Verifies a chunk and writes it at its place; false when it does not match, and nothing is written. */
  put(index: number, chunk: Uint8Array): Promise<boolean>;
  /** Makes the content durable, as the last step before it is renamed. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What the disk lends to its downloads. */
export interface PartialHooks {
  clock: Clock;
  behind: WriteBehind;
  /** Gives what went wrong on the disk its code. */
  failure: (error: unknown, what: string) => CodedError;
}

// A chunk list of two terabytes.
const listBytesMax = 64 * 1024 * 1024;

/** Begins a download: chunk list first and durable, then an empty sparse file of the right size. */
export async function createPartial(
  layout: DiskLayout,
  options: PartialHooks & { file: string; descriptor: Buffer },
): Promise<PartialOnDisk> {
  const { file, descriptor, behind, failure } = options;
  const tree = treeOf(file, descriptor);
  const paths = layout.partial(file);
  const chunks = new ChunkMap(chunkCount(tree.sizeBytes));
  let content: ChunkFile | undefined;
  try {
    await writeDurably(paths.descriptor, descriptor);
    await writeDurably(paths.map, chunks.bits);
    content = await ChunkFile.open(paths.content, 'w+', behind);
    await content.handle.truncate(tree.sizeBytes);
    await syncDirectory(layout.partialPath);
    const map = await open(paths.map, 'r+');
    return partialFile({ ...options, tree, chunks, content, map, resumedBytes: 0 });
  } catch (error) {
    await content?.close().catch(() => undefined);
    await removePartial(layout, file);
    throw failure(error, `beginning ${file}`);
  }
}

/**
 * Opens a download that an earlier process began. What its map says is not believed: each chunk is read and verified
 * again, since a power cut may have kept the mark and lost the bytes.
 */
export async function resumePartial(
  layout: DiskLayout,
  options: PartialHooks & { file: string },
): Promise<PartialOnDisk | undefined> {
  const { file, behind, failure } = options;
  const paths = layout.partial(file);
  let content: ChunkFile | undefined;
  try {
    // Somebody else may have had the disk.
    for (const path of [paths.descriptor, paths.map, paths.content]) {
      const info = await lstat(path);
      const sizeBytesMax = path === paths.content ? Infinity : listBytesMax;
      if (!info.isFile() || info.size > sizeBytesMax) return undefined;
    }
    const [descriptor, marks] = await Promise.all([readFile(paths.descriptor), readFile(paths.map)]);
    const opened = openDescriptor(file, descriptor);
    if (!opened.ok) return undefined;
    const tree = opened.value;
    content = await ChunkFile.open(paths.content, 'r+', behind);
    if ((await stat(paths.content)).size !== tree.sizeBytes) {
      await content.close();
      return undefined;
    }
    const chunks = new ChunkMap(chunkCount(tree.sizeBytes), marks);
    const resumedBytes = await reverify({ tree, chunks, content: content.handle });
    const map = await open(paths.map, 'r+');
    return partialFile({ ...options, tree, chunks, content, map, resumedBytes });
  } catch (error) {
    await content?.close().catch(() => undefined);
    if (isAbsent(error)) return undefined;
    throw failure(error, `resuming ${file}`);
  }
}

/** Removes what there is of a download. */
export async function removePartial(layout: DiskLayout, file: string): Promise<void> {
  const paths = layout.partial(file);
  await Promise.all(
    [paths.content, paths.map, paths.descriptor].map((path) =>
      rm(path, { force: true }).catch(() => undefined),
    ),
  );
}

function treeOf(file: string, descriptor: Buffer): ChunkTree {
  const opened = openDescriptor(file, descriptor);
  if (!opened.ok) throw coded(opened.code, opened.detail);
  return opened.value;
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'w', 0o640);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function reverify(options: {
  tree: ChunkTree;
  chunks: ChunkMap;
  content: FileHandle;
}): Promise<number> {
  const { tree, chunks, content } = options;
  const buffer = Buffer.allocUnsafeSlow(Math.min(chunkSizeBytes, Math.max(1, tree.sizeBytes)));
  let resumedBytes = 0;
  for (let index = 0; index < chunks.count; index++) {
    if (!chunks.has(index)) continue;
    const lengthBytes = chunkLengthBytes(tree.sizeBytes, index);
    const bytesRead = await readWhatThereIs(content, buffer, index * chunkSizeBytes);
    if (verifyChunk(tree, index, buffer.subarray(0, Math.min(bytesRead, lengthBytes))))
      resumedBytes += lengthBytes;
    else chunks.remove(index);
  }
  return resumedBytes;
}

/** What the disk does not give is as good as not there: it is written anew. */
async function readWhatThereIs(content: FileHandle, buffer: Buffer, positionBytes: number): Promise<number> {
  try {
    return (await content.read(buffer, 0, buffer.length, positionBytes)).bytesRead;
  } catch (error) {
    if (isDiskError(error)) return 0;
    throw error;
  }
}

interface PartialState extends PartialHooks {
  file: string;
  tree: ChunkTree;
  chunks: ChunkMap;
  content: ChunkFile;
  map: FileHandle;
  resumedBytes: number;
}

function partialFile(state: PartialState): PartialOnDisk {
  const { file, tree, chunks, content, map, resumedBytes, clock, failure } = state;
  let closed: Promise<void> | undefined;
  let writtenBytes = 0;
  let spentMs = 0;
  const timed = async (what: string, work: () => Promise<void>): Promise<void> => {
    const startedMs = clock.monotonicMs();
    try {
      await work();
    } catch (error) {
      throw failure(error, `${what} ${file}`);
    } finally {
      spentMs += clock.monotonicMs() - startedMs;
    }
  };
  return {
    file,
    tree,
    chunks,
    resumedBytes,
    get writtenBytes() {
      return writtenBytes;
    },
    get spentMs() {
      return spentMs;
    },
    async put(index, chunk) {
      // It may be given up while bytes are on their way.
      if (closed !== undefined) throw coded('ABORTED', `the download of ${file} has ended`);
      if (!verifyChunk(tree, index, chunk)) return false;
      await timed('writing', async () => {
        await content.write(chunk, index * chunkSizeBytes);
        const at = chunks.add(index);
        // A byte into the page cache: a thread for it would cost more than it waits.
        writeSync(map.fd, chunks.bits, at, 1, at);
      });
      writtenBytes += chunk.length;
      return true;
    },
    sync: () => timed('syncing', () => content.sync()),
    close: () =>
      (closed ??= Promise.all([content.close(), map.close()]).then(
        () => undefined,
        () => undefined,
      )),
  };
}
