import { coded, type CodedError } from '../../common/runtime/errors.ts';
import type { ObjectId } from '../core/eviction/rule.ts';

/** Takes the next request of a trace. `nextAccess` is undefined where the format does not tell it, Infinity for never. */
export type OnRequest = (id: ObjectId, sizeBytes: number, nextAccess?: number) => void;

/** Reads one format. */
export interface TraceReader {
  /** Takes the next bytes of the trace, in pieces of any length, and hands on the requests in them. Throws TRACE_INVALID. */
  push(bytes: Buffer): void;
  /** There are no more bytes. Throws TRACE_INVALID where the last request was cut. */
  end(): void;
  /** Lines that were passed over because they were torn; always 0 for formats that are not logs. */
  readonly skippedLines: number;
}

/** A trace that is not what it should be: where, what is wrong there, and what to do. */
export function traceInvalid(where: string, detail: string): CodedError {
  return coded('TRACE_INVALID', `${where} ${detail}`);
}
