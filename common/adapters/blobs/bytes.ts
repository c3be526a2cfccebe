import { coded } from '../../runtime/errors.ts';
import type { Blobs, BlobWriteOptions, BlobWritten } from './port.ts';

const BLOB_BYTES_MAX = 16 * 1024 * 1024;

/** Reads a small blob whole; undefined when there is none, VALUE_TOO_LARGE above `sizeBytesMax` (16 MiB when absent). */
export async function readBlobBytes(
  blobs: Blobs,
  key: string,
  options: { sizeBytesMax?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<Buffer | undefined> {
  const { sizeBytesMax = BLOB_BYTES_MAX, signal } = options;
  // One byte more than allowed, so that no blob of unknown size is taken into memory.
  const body = await blobs.read(key, { length: sizeBytesMax + 1, signal });
  if (body === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  if (bytes.length > sizeBytesMax)
    throw coded('VALUE_TOO_LARGE', `${key} has over ${String(sizeBytesMax)} bytes`);
  return bytes;
}

/** Writes bytes that are already in memory. */
export function writeBlobBytes(
  target: { blobs: Blobs; key: string },
  bytes: Uint8Array,
  options: Omit<BlobWriteOptions, 'sizeBytes'> = {},
): Promise<BlobWritten> {
  return target.blobs.write(target.key, once(bytes), { ...options, sizeBytes: bytes.length });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
