import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Blobs } from '../common/adapters/blobs/port.ts';
import { coded } from '../common/runtime/errors.ts';

export interface FetchRequest {
  blobs: Blobs;
  key: string;
  sizeBytes: number;
  /** Where to write it. */
  path: string;
  signal: AbortSignal;
  onProgress?: (fraction: number) => void;
}

/**
 * Copies a source from the blobs to a file that ffmpeg's user may read.
 *
 * @throws FILE_UNKNOWN when it is gone, FILE_CORRUPT when it is not as large as announced, DISK_FULL, and the errors of
 * the blobs port
 */
export async function fetchSource(request: FetchRequest): Promise<void> {
  const { blobs, key, path, signal, sizeBytes, onProgress } = request;
  const body = await blobs.read(key, { signal });
  if (body === undefined)
    throw coded('FILE_UNKNOWN', 'the source is no longer in the storage; add the title again');
  let doneBytes = 0;
  const count = new Transform({
    transform(piece: Uint8Array, _encoding, done) {
      doneBytes += piece.length;
      onProgress?.(Math.min(1, doneBytes / Math.max(1, sizeBytes)));
      // One that grows without end must not fill the disk.
      if (doneBytes > sizeBytes)
        done(coded('FILE_CORRUPT', 'the stored source is larger than it was announced'));
      else done(null, piece);
    },
  });
  const handle = await open(path, 'wx', 0o644).catch((error: unknown) => {
    body.destroy();
    throw error;
  });
  try {
    // The process's umask may have taken the right to read from ffmpeg's user. By the handle: the directory is that user's,
    // who could put a link in the file's place.
    await handle.chmod(0o644);
    await pipeline(body, count, handle.createWriteStream(), { signal });
  } finally {
    await handle.close();
  }
  if (doneBytes !== sizeBytes) {
    throw coded('FILE_CORRUPT', `the stored source has ${doneBytes} bytes, announced were ${sizeBytes}`);
  }
}
