import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import t, { type Test } from 'tap';

import type { Blobs } from '../../../../common/adapters/blobs/port.ts';
import type { NewEvent } from '../../../../common/adapters/events/port.ts';
import type { EventLogView } from '../../../../common/contract/event-log-view.ts';
import { coded } from '../../../../common/runtime/errors.ts';
import { openLab, type EventsLab, type LabOptions } from '../../support/events-lab.ts';
import { until } from '../../support/until.ts';

const dayMs = 86_400_000;
const startMs = 1_800_000_000_000;

/** Events of two types over three days, with texts that a careless writer breaks. */
const events = Array.from({ length: 2500 }, (_, at): NewEvent => ({
  ...(at % 3 > 0 && { id: `id-${at}` }),
  type: at % 5 === 0 ? 'session' : 'player',
  timeMs: startMs + (at % 3) * dayMs + at,
  data: { at, text: at % 2 === 0 ? `it's "${at}"\n€` : '', big: at * 1e12 },
}));

async function append(lab: EventsLab, some: readonly NewEvent[]): Promise<void> {
  for (let from = 0; from < some.length; from += 500) await lab.events.append(some.slice(from, from + 500));
}

async function exported(lab: EventsLab): Promise<EventLogView> {
  await lab.service.export();
  return until(
    () => lab.service.log(),
    (log) => log.export.running === undefined && log.export.last !== undefined,
  );
}

/** What DuckDB reads of all files, as SQL would join them. */
async function query(t: Test, lab: EventsLab, sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  t.teardown(() => {
    connection.closeSync();
    instance.closeSync();
  });
  const files = join(lab.directory, 'blobs', 'event-exports', '*', '*', '*.parquet');
  return (await connection.runAndReadAll(sql.replace('EVENTS', `'${files}'`))).getRowsJson();
}

/** A lab whose files hold 1000 events, and whose log drops what all have handled. */
function openExportLab(t: Test, options: LabOptions = {}): Promise<EventsLab> {
  return openLab(t, { ...options, still: true, options: { eventsPerFile: 1000 } });
}

t.test('what stands in Parquet files is what was in the log, each event once', async (t) => {
  const lab = await openExportLab(t);
  await lab.flush();
  t.match(
    await lab.service.log(),
    { consumers: [{}, {}, {}], export: { offset: 0 } },
    'nobody waits for it yet',
  );
  await append(lab, events);
  const log = await exported(lab);
  t.match(log.export, { offset: 2500, events: 2500, files: 3 * 2 * 3, missed: 0, last: { outcome: 'done' } });
  t.match(
    log.consumers.find(({ name }) => name === 'export'),
    { offset: 2500, behind: 0 },
  );
  const rows = await query(
    t,
    lab,
    `SELECT "offset", id, epoch_ms("time"), data, parse_path(filename)[-3], parse_path(filename)[-2]
     FROM read_parquet(EVENTS, filename = true) ORDER BY "offset"`,
  );
  t.strictSame(
    rows,
    events.map(({ id = null, type, timeMs, data }, at) => {
      const day = new Date(timeMs).toISOString().slice(0, 10);
      return [String(at + 1), id, String(timeMs), JSON.stringify(data), type, day];
    }),
  );
  const sums = `SELECT count(*), sum((data->>'$.at')::BIGINT) FROM EVENTS`;
  t.strictSame(await query(t, lab, sums), [['2500', String((2499 * 2500) / 2)]]);

  await append(lab, events.slice(0, 10));
  t.match((await exported(lab)).export, { offset: 2510, events: 2510, missed: 0 }, 'then what came since');
  t.match((await exported(lab)).export, { events: 2510 }, 'and nothing where nothing came');
  t.match(await query(t, lab, 'SELECT count(*), count(DISTINCT "offset") FROM EVENTS'), [['2510', '2510']]);
});

t.test('an export that dies between two files is carried on, and no event stands twice', async (t) => {
  let writesLeft = 4;
  const wrapBlobs = (blobs: Blobs): Blobs => ({
    ...bound(blobs),
    write: async (...given) => {
      if (writesLeft-- <= 0) throw coded('DISK_FULL', 'a test');
      return blobs.write(...given);
    },
  });
  const first = await openExportLab(t, { wrapBlobs });
  await append(first, events);
  t.match((await exported(first)).export, { offset: 0, last: { outcome: 'failed', detail: /DISK_FULL/ } });
  await append(first, events.slice(0, 200));
  await first.close();
  const second = await openExportLab(t, { directory: first.directory, clock: first.clock });
  t.match((await exported(second)).export, { offset: 2700, events: 2700, missed: 0 });
  t.match(await query(t, second, 'SELECT count(*), count(DISTINCT "offset") FROM EVENTS'), [
    ['2700', '2700'],
  ]);
});

t.test('retention waits for an export up to its limit, and what was lost is told', async (t) => {
  const reports: string[] = [];
  const lab = await openExportLab(t, {
    log: {
      ...{ retainBytes: 20_000, limitBytes: 600_000, segmentBytes: 10_000 },
      report: (report) => reports.push(report.kind === 'dropped-unread' ? report.consumer : report.kind),
    },
  });
  await append(lab, events.slice(0, 500));
  await exported(lab);
  await append(lab, events);
  await lab.flush();
  const waiting = await lab.service.log();
  t.ok(waiting.sizeBytes > 100_000, 'what all others have handled is still there');
  t.match(
    waiting.consumers.find(({ name }) => name === 'export'),
    { behind: 2500 },
  );
  t.equal((await exported(lab)).export.missed, 0);
  t.ok((await lab.service.log()).sizeBytes < waiting.sizeBytes / 2, 'then it goes');
  for (let round = 0; round < 4; round++) {
    await append(lab, events);
    await lab.flush();
  }
  t.ok((await lab.service.log()).sizeBytes < 650_000, 'and at the limit in any case');
  t.ok(reports.includes('export'), 'which is told');
  const { export: view } = await exported(lab);
  t.ok(view.missed > 0);
  t.equal(view.events + view.missed, view.offset, 'and counted');
  t.match(await query(t, lab, 'SELECT count(*), count(DISTINCT "offset") FROM EVENTS'), [
    [String(view.events), String(view.events)],
  ]);
});

t.test('another log in the place of the first is exported beside it', async (t) => {
  const first = await openExportLab(t);
  await append(first, events.slice(0, 20));
  await exported(first);
  await first.close();
  await rm(join(first.directory, 'events'), { recursive: true });
  const second = await openExportLab(t, { directory: first.directory, clock: first.clock });
  await append(second, events.slice(100, 110));
  t.match((await exported(second)).export, { offset: 10, events: 30 });
  t.match(await query(t, second, 'SELECT count(*), max("offset") FROM EVENTS'), [['30', '20']]);
  await second.close();
  await rm(join(first.directory, 'events'), { recursive: true });
  const longer = await openExportLab(t, { directory: first.directory, clock: first.clock });
  await append(longer, events.slice(200, 230));
  t.match((await exported(longer)).export, { offset: 30, events: 60 });
  t.match(await query(t, longer, 'SELECT count(*), max("offset") FROM EVENTS'), [['60', '30']]);
});

/** The methods of blobs as functions of their own. */
function bound(blobs: Blobs): Blobs {
  return {
    stat: (key) => blobs.stat(key),
    read: (key, options) => blobs.read(key, options),
    write: (...given) => blobs.write(...given),
    remove: (key) => blobs.remove(key),
    list: (prefix, options) => blobs.list(prefix, options),
    close: () => blobs.close(),
  };
}
