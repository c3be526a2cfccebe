import { readRecorded } from '../../common/runtime/recorded-file.ts';
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

/**
 * Reads a trace from its beginning to its end; memory does not grow with it.
 *
 * @returns how many torn lines were passed over
 * @throws PATH_UNREADABLE, TRACE_INVALID with the record or line that is wrong
 */
export async function readTrace({ path, format }: TraceFile, options: ReadOptions): Promise<number> {
  const { onRequest, onProgress, signal } = options;
  const reader: TraceReader = new readers[format](onRequest);
  await readRecorded(path, { sink: reader, invalid: 'TRACE_INVALID', onProgress, signal });
  return reader.skippedLines;
}
