import { ChunkTreeBuilder } from '../common/core/chunk-tree.ts';
import { contentKey, descriptorKey } from '../common/core/file-keys.ts';
import { coded } from '../common/runtime/errors.ts';
import type { Blobs } from '../common/adapters/blobs/port.ts';
import type { BuiltFile } from './package/built-file.ts';
import { openOutput } from './package/output-file.ts';

export interface PublishRequest {
  blobs: Blobs;
  files: readonly BuiltFile[];
  /** Published when all the others are there: who can read it can read everything that it lists. */
  bundleFile: BuiltFile;
  signal: AbortSignal;
  /** Called with the bytes that are done, of all. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** What publishing had to do. */
export interface Published {
  filesWritten: number;
  /** Files that an earlier attempt, or another title, had published already. */
  filesPresent: number;
  bytesWritten: number;
}

const pieceLengthBytes = 256 * 1024;

/**
 * Publishes files: of each the content, then the descriptor; at the very end the bundle. What is there already is not
 * written again, so it may be repeated after any failure. A failure leaves files that nothing names, never a bundle
 * that names what is missing.
 *
 * @throws the errors of the blobs port (DISK_FULL, STORE_UNAVAILABLE, …); FILE_CORRUPT when a file has changed since it
 * was named
 */
export async function publish(request: PublishRequest): Promise<Published> {
  const { bundleFile, files, onProgress, signal } = request;
  const totalBytes = [...files, bundleFile].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const published: Published = { filesWritten: 0, filesPresent: 0, bytesWritten: 0 };
  let doneBytes = 0;
  for (const built of [...files, bundleFile]) {
    signal.throwIfAborted();
    const present = await publishFile(request, built);
    if (present) published.filesPresent++;
    else {
      published.filesWritten++;
      published.bytesWritten += built.sizeBytes;
    }
    doneBytes += built.sizeBytes;
    onProgress?.(doneBytes, totalBytes);
  }
  return published;
}

/** @returns whether it was there already, whole. */
async function publishFile({ blobs, signal }: PublishRequest, built: BuiltFile): Promise<boolean> {
  const { descriptor, file, sizeBytes } = built;
  const content = { key: contentKey(file), sizeBytes, source: () => verified(built, signal) };
  const chunks = { key: descriptorKey(file), sizeBytes: descriptor.length, source: () => once(descriptor) };
  let present = true;
  for (const { key, sizeBytes: expected, source } of [content, chunks]) {
    const found = await blobs.stat(key);
    if (found?.sizeBytes === expected) continue;
    present = false;
    // One of another size cannot be this file: it is put right.
    const ifAbsent = found === undefined;
    await blobs.write(key, source(), { sizeBytes: expected, ifAbsent, signal });
  }
  return present;
}

/** The bytes of a file, held against its name once more: what fails at the end is never made visible. */
async function* verified(built: BuiltFile, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const builder = new ChunkTreeBuilder();
  for await (const piece of piecesOf(built)) {
    signal.throwIfAborted();
    builder.update(piece);
    yield piece;
  }
  if (builder.finish().file !== built.file) {
    throw coded('FILE_CORRUPT', `a ${built.role} file changed while it was published`);
  }
}

async function* piecesOf({ content }: BuiltFile): AsyncGenerator<Uint8Array, void, undefined> {
  if (content.kind === 'bytes') {
    yield content.bytes;
    return;
  }
  const { handle } = await openOutput(content.path);
  try {
    for (;;) {
      const { buffer, bytesRead } = await handle.read(
        Buffer.alloc(pieceLengthBytes),
        0,
        pieceLengthBytes,
        null,
      );
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
