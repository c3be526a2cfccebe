import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { coded } from '../../runtime/errors.ts';
import { syncDirectory } from '../../runtime/durable.ts';
import { abortError, storeError } from '../shared/store-error.ts';
import { openLogConsumers, type LogConsumers } from './log-consumers.ts';
import { encodePayload } from './log-frame.ts';
import { openLogId } from './log-id.ts';
import { listSegments, recoverSegments } from './log-open.ts';
import { readPage } from './log-reader.ts';
import { planRetention } from './log-retention.ts';
import type { Segment } from './log-segment.ts';
import { LogWriter } from './log-writer.ts';
import type { EventPage, EventReadOptions, Events, EventsOptions, EventsStatus, NewEvent } from './port.ts';

const RETAIN_BYTES = 256 * 1024 * 1024;
const LIMIT_BYTES = 1024 * 1024 * 1024;
const SEGMENT_BYTES = 8 * 1024 * 1024;
const BATCH_LENGTH_MAX = 1000;
const READ_LIMIT_MAX = 1000;

/**
 * Opens a log of files in a directory of its own: `<16 digits>.log`, each named by the offset it begins with, `log-id` (log-id.ts), and
 * `consumers.db` (log-consumers.ts), whose lock keeps other processes out.
 */
export async function openEventLog(directory: string, options: EventsOptions = {}): Promise<Events> {
  const consumers = await openLogConsumers(join(directory, 'consumers.db'));
  try {
    const bases = await listSegments(directory);
    const id = await openLogId(directory, { isNew: bases.length === 0 });
    const segments = await recoverSegments(directory, { bases, report: options.report ?? (() => undefined) });
    const log = new EventLog({ id, directory, segments, consumers, options });
    await log.retain();
    return log;
  } catch (error) {
    consumers.close();
    throw storeError(error, `opening the event log ${directory}`);
  }
}

interface LogParts {
  id: string;
  directory: string;
  segments: Segment[];
  consumers: LogConsumers;
  options: EventsOptions;
}

class EventLog implements Events {
  readonly #parts: LogParts;
  readonly #writer: LogWriter;
  readonly #waiting = new Set<() => void>();

  constructor(parts: LogParts) {
    this.#parts = parts;
    this.#writer = new LogWriter({
      directory: parts.directory,
      segments: parts.segments,
      segmentBytes: parts.options.segmentBytes ?? SEGMENT_BYTES,
      onFlushed: () => {
        for (const wake of [...this.#waiting]) wake();
      },
      onRolled: () => this.retain(),
    });
  }

  async append(batch: readonly NewEvent[]): Promise<readonly number[]> {
    if (batch.length === 0) return [];
    if (batch.length > BATCH_LENGTH_MAX)
      throw coded('VALUE_TOO_LARGE', `a batch of ${String(batch.length)} events`);
    const firstOffset = await this.#writer.append(batch.map(encodePayload));
    return batch.map((_, index) => firstOffset + index);
  }

  async read(after: number, options: EventReadOptions = {}): Promise<EventPage> {
    const limit = Math.max(1, Math.min(READ_LIMIT_MAX, Math.trunc(options.limit ?? READ_LIMIT_MAX)));
    const { segments, directory } = this.#parts;
    try {
      return await readPage({ segments, after: checkOffset(after), limit, report: this.#report });
    } catch (error) {
      throw storeError(error, `reading the event log ${directory}`);
    }
  }

  wait(after: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        if (!signal.aborted && this.#lastOffset() <= after) return;
        this.#waiting.delete(settle);
        signal.removeEventListener('abort', settle);
        if (signal.aborted) reject(abortError(signal));
        else resolve();
      };
      this.#waiting.add(settle);
      signal.addEventListener('abort', settle);
      settle();
    });
  }

  committed(consumer: string): Promise<number | undefined> {
    return Promise.try(() => this.#parts.consumers.offset(consumer));
  }

  async commit(consumer: string, offset: number): Promise<void> {
    if (checkOffset(offset) > this.#lastOffset())
      throw coded('INVALID', `no event has offset ${String(offset)} yet`);
    this.#parts.consumers.set(consumer, offset);
    await this.retain();
  }

  async forget(consumer: string): Promise<void> {
    this.#parts.consumers.forget(consumer);
    await this.retain();
  }

  status(): Promise<EventsStatus> {
    const { id, segments, consumers } = this.#parts;
    const lastOffset = this.#lastOffset();
    return Promise.resolve({
      id,
      firstOffset: segments[0]?.baseOffset ?? lastOffset + 1,
      lastOffset,
      sizeBytes: segments.reduce((sum, segment) => sum + segment.sizeBytes, 0),
      consumers: consumers.all(),
    });
  }

  async close(): Promise<void> {
    await this.#writer.close();
    this.#parts.consumers.close();
  }

  /** Drops the files that retention no longer keeps, and reports what consumers lose by it. */
  async retain(): Promise<void> {
    const { directory, segments, consumers, options } = this.#parts;
    const retainBytes = options.retainBytes ?? RETAIN_BYTES;
    const limitBytes = Math.max(retainBytes, options.limitBytes ?? LIMIT_BYTES);
    const plan = planRetention({ segments, consumers: consumers.all(), retainBytes, limitBytes });
    if (plan.dropCount === 0) return;
    const dropped = segments.splice(0, plan.dropCount);
    for (const loss of plan.losses) this.#report(loss);
    try {
      for (const { path } of dropped) await unlink(path);
      await syncDirectory(directory);
    } catch (error) {
      throw storeError(error, `dropping old events in ${directory}`);
    }
  }

  readonly #report: NonNullable<EventsOptions['report']> = (report) => {
    this.#parts.options.report?.(report);
  };

  #lastOffset(): number {
    return (this.#parts.segments.at(-1)?.nextOffset ?? 1) - 1;
  }
}

function checkOffset(offset: number): number {
  if (!Number.isSafeInteger(offset) || offset < 0) throw coded('INVALID', `${String(offset)} is no offset`);
  return offset;
}
