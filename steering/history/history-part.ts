import { once } from 'node:events';
import { extname, join } from 'node:path';
import { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { createZstdCompress } from 'node:zlib';
import type { ExplainReply } from '../../common/contract/steering.ts';
import { Limiter } from '../../common/core/limiter.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import { packRouteTable } from '../../common/runtime/route-table-packing.ts';
import type { SteeringConfig } from '../config.ts';
import { openTableStore } from '../map/table-store.ts';
import type { ExplainPast, ExplainPastReply } from './explain-worker.ts';
import { Journal } from './journal.ts';
import { recordingOf, type Span } from './past.ts';
import type { Recorder } from './recorder.ts';

export interface HistoryPartOptions {
  readonly config: Pick<SteeringConfig, 'dataDir' | 'historyHours'>;
  /** Where the tables of maps are kept. */
  readonly tables: string;
  readonly recorder: Recorder;
  /** The file of places, where there is one. */
  readonly places?: () => SharedArrayBuffer | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What steering keeps of the past, and what it tells of it. */
export interface HistoryPart {
  readonly component: Component;
  /** Why a client was sent where it was. @throws INVALID for a time that is still to come, HISTORY_GONE, OVERLOADED */
  explainAt(asked: { atMs: number; client: string; bundle: string | undefined }): Promise<ExplainReply>;
  /** A recording to replay, compressed (zstd). It ends early where the segments it is of are removed meanwhile. */
  record(span: Span): Promise<Readable>;
}

const hourMs = 3_600_000;
/** With the tables of maps, which may take as much: 2 GiB of disk. */
const journalBytesMax = 2 ** 30;
const segmentMs = hourMs / 12;
const segmentBytes = 256 * 2 ** 20;
/** Each question takes the memory of a map: one at a time. */
const questionsMax = 8;
/** Who asks of "now" may have a clock that is ahead. */
const skewMs = 60_000;

// Beside this file, in its form: TypeScript here, JavaScript in a package.
const entry = new URL(`./explain-worker${extname(import.meta.url)}`, import.meta.url);

/** Makes the journal of a recorder, as a node keeps it. */
export function createJournal(options: {
  readonly directory: string;
  readonly keepHours: number;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly log: Log;
}): Journal {
  const { directory, keepHours, recorder, clock, log } = options;
  return new Journal({
    ...{ directory, clock, log, segmentMs, segmentBytes, bytesMax: journalBytesMax },
    keepMs: keepHours * hourMs,
    opening: () => recorder.opening(),
  });
}

/** Makes it; nothing is kept before its component starts. */
export function createHistoryPart(options: HistoryPartOptions): HistoryPart {
  const { config, recorder, clock, log, tables } = options;
  const directory = join(config.dataDir, 'history');
  const journal = createJournal({ directory, keepHours: config.historyHours, recorder, clock, log });
  const turns = new Limiter({ runsMax: 1 });
  let asking = 0;
  let done: Promise<unknown> | undefined;
  return {
    component: {
      name: 'history',
      async start({ signal, crash }) {
        await journal.open();
        recorder.writeTo(journal);
        done = Promise.all([recorder.run(signal), journal.run(signal)]).catch(crash);
      },
      async stop() {
        await done;
      },
    },
    async explainAt(asked) {
      if (asked.atMs > clock.nowMs() + skewMs)
        throw coded('INVALID', `${new Date(asked.atMs).toISOString()} is still to come`);
      if (asking >= questionsMax)
        throw coded('OVERLOADED', { detail: 'the past is asked about too often', retryAfterMs: 5000 });
      asking++;
      try {
        const question = { ...asked, journal: directory, tables, places: options.places?.() };
        return await turns.run(() => askPast(question));
      } finally {
        asking--;
      }
    },
    async record(span) {
      const store = await openTableStore(tables, Infinity);
      const lines = recordingOf(directory, span, async (name) => {
        const bytes = await store.read(name);
        return bytes && (await packRouteTable(bytes));
      });
      // The first line, so that what is not there is an error and no empty file.
      const first = await lines.next();
      const text = Readable.from(textOf(first, lines), { objectMode: false });
      const compress = createZstdCompress();
      text.once('error', (error) => compress.destroy(error));
      compress.once('close', () => text.destroy());
      return text.pipe(compress);
    },
  };
}

async function* textOf(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void>,
): AsyncGenerator<string, void> {
  if (first.done !== true) yield `${first.value}\n`;
  for await (const line of rest) yield `${line}\n`;
}

async function askPast(question: ExplainPast): Promise<ExplainReply> {
  const worker = new Worker(entry, { workerData: question });
  try {
    const [reply] = (await once(worker, 'message')) as [ExplainPastReply];
    if (reply.ok) return reply.value;
    throw coded(reply.code, reply.detail === undefined ? {} : { detail: reply.detail });
  } finally {
    await worker.terminate();
  }
}
