import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { PassThrough, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';

import { coded, CodedError, systemCode } from '../../common/runtime/errors.ts';
import { AccessLogReader } from './access-log-trace.ts';
import { CsvReader } from './csv.ts';
import { OracleGeneralReader } from './oracle-general.ts';
import type { OnRequest, TraceReader } from './trace-reader.ts';

const readers = {
  'oracle-general': OracleGeneralReader,
  csv: CsvReader,
  'access-log': AccessLogReader,
} as const satisfies Record<string, new (onRequest: OnRequest) => TraceReader>;

export type TraceFormat = keyof typeof readers;

export const traceFormats = Object.keys(readers) as readonly TraceFormat[];

/** A trace on disk; names that end in `.zst` or `.gz` are decompressed. */
export interface TraceFile {
  readonly path: string;
  readonly format: TraceFormat;
}

export interface ReadOptions {
  readonly onRequest: OnRequest;
  /** How much of the file was read, 0 to 1. */
  readonly onProgress: (fraction: number) => void;
  readonly signal: AbortSignal;
}

const readBytes = 2 ** 20;

/**
 * Reads a trace from its beginning to its end; memory does not grow with it.
 *
 * @returns how many torn lines were passed over
 * @throws PATH_UNREADABLE, TRACE_INVALID with the record or line that is wrong
 */
export async function readTrace({ path, format }: TraceFile, options: ReadOptions): Promise<number> {
  const { onRequest, onProgress, signal } = options;
  const sizeBytes = await sizeOf(path);
  const reader: TraceReader = new readers[format](onRequest);
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
    throw explained(path, error);
  }
  return reader.skippedLines;
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
function explained(path: string, error: unknown): unknown {
  if (error instanceof CodedError)
    return coded(error.code, { detail: `${path}: ${error.detail ?? ''}`, cause: error });
  const code = systemCode(error);
  if (code === 'EACCES' || code === 'ENOENT' || code === 'EISDIR') return unreadable(path, error);
  // The codes of zlib and zstd.
  if (code?.startsWith('Z') === true) {
    const detail = `${path} does not decompress: it was cut, or its name does not tell how it is compressed`;
    return coded('TRACE_INVALID', { detail, cause: error });
  }
  return error;
}
