import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { PassThrough, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';

import type { ProblemCode } from '../contract/problem.ts';
import { coded, CodedError, systemCode } from './errors.ts';

export interface RecordedOptions {
  /** Takes the bytes in pieces of any length; what it throws ends the reading. */
  readonly sink: { push(bytes: Buffer): void; end(): void };
  /** The code of a file that is not what it should be. */
  readonly invalid: ProblemCode;
  /** How much of the file was read, 0 to 1. */
  readonly onProgress: (fraction: number) => void;
  readonly signal: AbortSignal;
}

const readBytes = 2 ** 20;

/**
 * Reads what was recorded (a trace, ratings) from its beginning to its end; names that end in `.zst` or `.gz` are decompressed.
 *
 * @throws PATH_UNREADABLE, `invalid`, both with the file's name
 */
export async function readRecorded(
  path: string,
  { sink: reader, invalid, onProgress, signal }: RecordedOptions,
): Promise<void> {
  const sizeBytes = await sizeOf(path);
  const source = createReadStream(path, { highWaterMark: readBytes });
  const sink = async (pieces: AsyncIterable<Buffer>): Promise<void> => {
    for await (const piece of pieces) {
      reader.push(piece);
      onProgress(source.bytesRead / sizeBytes);
    }
    reader.end();
  };
  try {
    await pipeline(source, decompressor(path), sink, { signal });
  } catch (error) {
    throw explained(path, invalid, error);
  }
}

function decompressor(path: string): Transform {
  if (path.endsWith('.zst')) return createZstdDecompress();
  return path.endsWith('.gz') ? createGunzip() : new PassThrough({ highWaterMark: readBytes });
}

async function sizeOf(path: string): Promise<number> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  // A pipe cannot be read twice, as Belady needs it, and has no end to measure progress by.
  if (!stats.isFile()) throw coded('PATH_UNREADABLE', `${path} is not a file`);
  return stats.size;
}

function unreadable(path: string, cause: unknown): CodedError {
  return coded('PATH_UNREADABLE', { detail: `${path} (${systemCode(cause) ?? String(cause)})`, cause });
}

/** What was met while reading, with the file's name. */
function explained(path: string, invalid: ProblemCode, error: unknown): unknown {
  if (error instanceof CodedError)
    return coded(error.code, { detail: `${path}: ${error.detail ?? ''}`, cause: error });
  const code = systemCode(error);
  if (code === 'EACCES' || code === 'ENOENT' || code === 'EISDIR') return unreadable(path, error);
  // The codes of zlib and zstd.
  if (code?.startsWith('Z') === true) {
    const detail = `${path} does not decompress: it was cut, or its name does not tell how it is compressed`;
    return coded(invalid, { detail, cause: error });
  }
  return error;
}
