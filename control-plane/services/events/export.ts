import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { Events } from '../../../common/adapters/events/port.ts';
import { openEventParquet } from '../../../common/adapters/parquet/open.ts';
import type { EventParquet, WrittenParquet } from '../../../common/adapters/parquet/port.ts';
import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { EventLogView } from '../../../common/contract/event-log-view.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { toCoded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import type { LogPlace } from '../log-follower.ts';

export interface EventExportOptions {
  readonly events: Events;
  readonly records: Records;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly log: Log;
  /** At most so many stand in one file, and so many bytes of their JSON, about: what an export holds in memory. */
  readonly eventsPerFile: number;
}

const Count = Type.Integer({ minimum: 0 });
const ExportRecord = Type.Object({
  /** Another one where another log begins at its first offset: files of both stand beside each other. */
  series: Count,
  /** The log's id; absent where a version before logs had them has written it. */
  log: Type.Optional(Type.String()),
  offset: Count,
  /** Up to here files are being written: what a crash leaves of them is written again, under the same names. */
  pendingTo: Type.Optional(Count),
  ...{ events: Count, files: Count, missed: Count },
});
type ExportRecord = Static<typeof ExportRecord>;
type ExportView = EventLogView['export'];

const consumer = 'export';
const stateKey = 'state';
const bytesPerFile = 64 * 1024 * 1024;
const pageEvents = 1000;
const nothing: ExportRecord = { series: 1, offset: 0, events: 0, files: 0, missed: 0 };

/**
 * Writes the log into Parquet files in blobs, for who asks questions of their own of it, or keeps it for longer than the log does. Each event
 * stands in one file: which events come into which is written down before they are. From the first export on the log keeps what is not
 * exported, up to its limit.
 */
export class EventExport {
  readonly #options: EventExportOptions;
  readonly #states: Collection<ExportRecord>;
  readonly #stopping = new AbortController();
  #state = nothing;
  #under: ExportView['running'];
  #last: ExportView['last'];
  #running: Promise<void> | undefined;

  constructor(options: EventExportOptions) {
    this.#options = options;
    this.#states = openCollection(options.records, 'event-export', (value) =>
      parseAs(ExportRecord, value, { what: 'what of the event log is exported', code: 'STORE_CORRUPT' }),
    );
  }

  /** Finds where the process before has ended. */
  async open(): Promise<void> {
    this.#state = (await this.#states.get(stateKey))?.value ?? nothing;
  }

  get view(): ExportView {
    const { offset, events, files, missed } = this.#state;
    return {
      ...{ offset, events, files, missed },
      ...(this.#under !== undefined && { running: this.#under }),
      ...(this.#last !== undefined && { last: this.#last }),
    };
  }

  /** Begins to export what is in the log now, if no export is under way. */
  async begin(): Promise<void> {
    const { id, lastOffset } = await this.#options.events.status();
    this.#running ??= this.#run({ log: id, offset: lastOffset }).finally(() => {
      this.#running = undefined;
      this.#under = undefined;
    });
  }

  /** Ends what is under way; the next one carries on. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(end: LogPlace): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopping;
    const { offset: to } = end;
    this.#under = { startedAtMs: clock.nowMs(), from: this.#state.offset, to };
    const ended = (last: Omit<NonNullable<ExportView['last']>, 'endedAtMs'>): void => {
      this.#last = { endedAtMs: clock.nowMs(), ...last };
    };
    try {
      await this.#begin(end);
      this.#under = { ...this.#under, from: this.#state.offset };
      while (this.#state.offset < to && !signal.aborted) await this.#exportNext(to);
      ended({ outcome: signal.aborted ? 'stopped' : 'done' });
    } catch (error) {
      log.error({ err: error }, 'an export of events has failed; the next one carries on');
      const { code, message } = toCoded(error);
      ended({ outcome: 'failed', detail: `${code}: ${message}` });
    }
  }

  /** Makes retention wait, and begins anew where the log is another one. */
  async #begin(end: LogPlace): Promise<void> {
    const { events, log } = this.#options;
    const { series, log: known = end.log, offset, pendingTo = 0 } = this.#state;
    if (known !== end.log || Math.max(offset, pendingTo) > end.offset) {
      const stored = { log: known, offset };
      log.warn({ stored, now: end }, 'the event log is another one; it is exported from its beginning');
      const { pendingTo: _, ...state } = this.#state;
      await this.#keep({ ...state, series: series + 1, log: end.log, offset: 0 });
    } else if (this.#state.log === undefined) await this.#keep({ ...this.#state, log: end.log });
    await events.commit(consumer, this.#state.offset);
  }

  async #exportNext(end: number): Promise<void> {
    const { events, blobs, eventsPerFile } = this.#options;
    const { pendingTo, ...state } = this.#state;
    const wanted = pendingTo ?? Math.min(end, state.offset + eventsPerFile);
    if (pendingTo === undefined) await this.#keep({ ...state, pendingTo: wanted });
    const directory = await mkdtemp(join(tmpdir(), 'nearcast-export-'));
    const parquet = await openEventParquet();
    try {
      const { to, rows } = await this.#read(parquet, { after: state.offset, to: wanted });
      const written = await parquet.write(directory);
      for (const one of written) {
        const { size: sizeBytes } = await stat(one.path);
        await blobs.write(keyOf(one, { ...state, to }), createReadStream(one.path), { sizeBytes });
      }
      await this.#keep({
        ...state,
        ...{ offset: to, events: state.events + rows, files: state.files + written.length },
        missed: state.missed + to - state.offset - rows,
      });
      await events.commit(consumer, to);
    } finally {
      parquet.close();
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** Reads events up to an offset; ends earlier where they are large, each time at the same one. */
  async #read(
    parquet: EventParquet,
    { after, to }: { after: number; to: number },
  ): Promise<{ to: number; rows: number }> {
    let next = after;
    let rows = 0;
    for (let bytes = 0; next < to && bytes < bytesPerFile;) {
      const page = await this.#options.events.read(next, { limit: Math.min(pageEvents, to - next) });
      const read = page.events.flatMap(({ offset, id, type, timeMs, data }) =>
        offset > to ? [] : [{ offset, id, type, timeMs, data: JSON.stringify(data) }],
      );
      parquet.add(read);
      rows += read.length;
      bytes = read.reduce((sum, { data }) => sum + data.length, bytes);
      next = Math.min(page.next, to);
    }
    return { to: next, rows };
  }

  async #keep(state: ExportRecord): Promise<void> {
    await this.#states.put(stateKey, state);
    this.#state = state;
  }
}

/** Sorts as offsets do. */
function keyOf(
  { type, day }: WrittenParquet,
  { series, offset, to }: { series: number; offset: number; to: number },
): string {
  const [first, last] = [offset + 1, to].map((one) => String(one).padStart(16, '0'));
  return `event-exports/${type}/${day}/${series}-${first}-${last}.parquet`;
}
