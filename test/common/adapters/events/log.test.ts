import { spawn } from 'node:child_process';
import {
  appendFile,
  mkdtemp,
  open as openFile,
  readdir,
  stat,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import t from 'tap';
import { openEvents } from '../../../../common/adapters/events/open.ts';
import type { Events, EventsOptions, EventsReport } from '../../../../common/adapters/events/port.ts';
import { eventsConformance, numbered, readAll } from '../../../conformance/events.ts';
import { mountSmallDisk } from '../../../support/small-disk.ts';

const base = t.testdir();
const newDirectory = (): Promise<string> => mkdtemp(join(base, 'events-'));
const open = (directory: string, options: EventsOptions = {}): Promise<Events> =>
  openEvents(pathToFileURL(directory).href, options);
const segmentFiles = async (directory: string): Promise<string[]> =>
  (await readdir(directory)).filter((name) => name.endsWith('.log')).toSorted();

t.test('conformance: log on disk', (t) => {
  eventsConformance(t, async () => open(await newDirectory()));
  t.end();
});

t.test('conformance: log on disk in tiny files', (t) => {
  eventsConformance(t, async () => open(await newDirectory(), { segmentBytes: 200 }));
  t.end();
});

t.test('a URL that names no engine', async (t) => {
  for (const url of ['', '/tmp/x', 'kafka://x'])
    await t.rejects(openEvents(url), { code: 'CONFIG_INVALID' }, url);
});

t.test('events, places and offsets are there after closing and opening again', async (t) => {
  const directory = await newDirectory();
  const first = await open(directory, { segmentBytes: 1000 });
  for (let n = 1; n <= 100; n += 1) await first.append([numbered(n)]);
  await first.commit('reader', 42);
  await t.rejects(open(directory), { code: 'STORE_LOCKED' });
  await first.close();
  await t.rejects(first.append([numbered(0)]), { code: 'STORE_UNAVAILABLE' });
  t.ok((await segmentFiles(directory)).length > 5);
  const second = await open(directory, { segmentBytes: 1000 });
  t.equal(await second.committed('reader'), 42);
  t.strictSame(await second.append([numbered(101)]), [101]);
  const { events } = await readAll(second);
  t.strictSame(
    events.map((event) => event.offset),
    Array.from({ length: 101 }, (_, index) => index + 1),
  );
  t.strictSame((await readAll(second, 57)).events, events.slice(57));
  await second.close();
});

t.test('a log cut anywhere opens with the whole batches before the cut, says so, and goes on', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.uint8Array({ maxLength: 30 }), async (cut, garbage) => {
      const directory = await newDirectory();
      const log = await open(directory);
      for (let n = 0; n < 6; n += 1) await log.append([numbered(2 * n), numbered(2 * n + 1)]);
      await log.close();
      const path = join(directory, (await segmentFiles(directory))[0] ?? '');
      const { size } = await stat(path);
      const keptBytes = 16 + (cut % (size - 15));
      await truncate(path, keptBytes);
      await appendFile(path, garbage);
      const reports: EventsReport[] = [];
      const again = await open(directory, { report: (report) => reports.push(report) });
      const { events } = await readAll(again);
      t.equal(events.length % 2, 0, 'no half of a batch');
      t.strictSame(
        events.map(({ data }) => data),
        Array.from({ length: events.length }, (_, n) => ({ n })),
      );
      const { sizeBytes } = await again.status();
      const cutBytes = keptBytes + garbage.length - sizeBytes;
      t.strictSame(reports, cutBytes === 0 ? [] : [{ kind: 'torn-tail', path, cutBytes }]);
      t.strictSame(await again.append([numbered(99)]), [events.length + 1]);
      t.same((await readAll(again)).events.at(-1)?.data, { n: 99 });
      await again.close();
    }),
    { numRuns: 40 },
  );
});

t.test('a process killed in mid-append leaves all that it acknowledged', async (t) => {
  const directory = await newDirectory();
  let acknowledged = 0;
  for (let round = 0; round < 4; round += 1) {
    const writer = spawn(process.execPath, [join(import.meta.dirname, 'busy-appender.ts'), directory], {
      stdio: 'pipe',
    });
    let count = 0;
    for await (const line of createInterface(writer.stdout)) {
      acknowledged = Math.max(acknowledged, Number(line));
      count += 1;
      if (count === 30 + 17 * round) writer.kill('SIGKILL');
    }
    const log = await open(directory, { segmentBytes: 64 * 1024 });
    const { events, missed } = await readAll(log);
    t.ok(
      acknowledged > 0 && events.length >= acknowledged,
      `${String(events.length)} of ${String(acknowledged)}`,
    );
    t.equal(missed, 0);
    t.equal(events.length % 3, 0, 'whole batches');
    t.ok(events.every((event, index) => event.offset === index + 1));
    await log.close();
  }
});

t.test('a log has an id, which another one in its place has not', async (t) => {
  const directory = await newDirectory();
  const idOf = async (): Promise<string> => {
    const log = await open(directory);
    const { id } = await log.status();
    await log.append([numbered(1)]);
    await log.close();
    return id;
  };
  const first = await idOf();
  t.match(first, /^[0-9a-f]{32}$/);
  t.equal(await idOf(), first, 'it outlives a restart');
  for (const name of await segmentFiles(directory)) await unlink(join(directory, name));
  const second = await idOf();
  t.not(second, first, 'a log without its events is another one');
  await unlink(join(directory, 'log-id'));
  const third = await idOf();
  t.not(third, second, 'one of before logs had ids is given one');
  t.equal(await idOf(), third);
  await writeFile(join(directory, 'log-id'), 'x');
  await t.rejects(open(directory), { code: 'STORE_CORRUPT', message: /remove it/ });
  await unlink(join(directory, 'log-id'));
  const log = await open(directory);
  t.equal((await readAll(log)).events.length, 3, 'what it holds stays');
  await log.close();
});

t.test('damage in the middle is passed over, counted and reported', async (t) => {
  const directory = await newDirectory();
  const log = await open(directory, { segmentBytes: 2000 });
  for (let n = 1; n <= 100; n += 1) await log.append([numbered(n)]);
  await log.close();
  const path = join(directory, (await segmentFiles(directory))[1] ?? '');
  const file = await openFile(path, 'r+');
  await file.write(Buffer.from([0xff]), 0, 1, 500);
  await file.close();
  const reports: EventsReport[] = [];
  const again = await open(directory, { report: (report) => reports.push(report) });
  const { events, missed } = await readAll(again);
  t.equal(missed, 1, 'one record only');
  t.equal(events.length, 99);
  t.match(reports, [{ kind: 'damaged', path }]);
  t.equal(reports.length, 1);
  await again.close();
});

t.test('a last file that is not of a log is refused', async (t) => {
  const directory = await newDirectory();
  await (await open(directory)).close();
  await writeFile(join(directory, '0000000000000001.log'), 'something else altogether');
  await t.rejects(open(directory), { code: 'STORE_CORRUPT' });
});

t.test('retention drops what all have handled, and below the limit nothing else', async (t) => {
  const directory = await newDirectory();
  const reports: EventsReport[] = [];
  const log = await open(directory, {
    segmentBytes: 1000,
    retainBytes: 5000,
    limitBytes: 20_000,
    report: (report) => reports.push(report),
  });
  await log.commit('slow', 0);
  await log.commit('fast', 0);
  for (let n = 1; n <= 150; n += 1) await log.append([numbered(n)]);
  t.equal((await log.status()).firstOffset, 1, 'the slow one has not handled them');
  await log.commit('fast', 150);
  t.equal((await log.status()).firstOffset, 1);
  await log.commit('slow', 100);
  const kept = await log.status();
  t.ok(kept.firstOffset > 1 && kept.firstOffset <= 101, String(kept.firstOffset));
  t.ok((await segmentFiles(directory)).length < 12);
  t.strictSame(reports, []);
  await log.close();
});

t.test('above the limit unread events go too, and it is said to whom', async (t) => {
  const directory = await newDirectory();
  const reports: EventsReport[] = [];
  const log = await open(directory, {
    segmentBytes: 1000,
    retainBytes: 2000,
    limitBytes: 5000,
    report: (report) => reports.push(report),
  });
  await log.commit('slow', 0);
  for (let n = 1; n <= 200; n += 1) await log.append([numbered(n)]);
  const { firstOffset, sizeBytes } = await log.status();
  t.ok(sizeBytes <= 6100, String(sizeBytes));
  let lost = 0;
  for (const report of reports) {
    if (report.kind === 'dropped-unread') lost += report.lastOffset - report.firstOffset + 1;
  }
  t.equal(lost, firstOffset - 1, 'each lost event is reported once');
  const { events, missed } = await readAll(log);
  t.equal(missed, firstOffset - 1, 'and the reader is told');
  t.equal(events.length, 200 - missed);
  await log.close();
});

t.test(
  'a full disk: a coded error, what was acknowledged stays, and appending goes on once there is room',
  async (t) => {
    const disk = await mountSmallDisk(1024 * 1024);
    if (typeof disk === 'string') {
      t.pass(`skipped: ${disk}`, { skip: disk });
      return;
    }
    t.teardown(disk.unmount);
    const directory = join(disk.path, 'events');
    const log = await open(directory, { segmentBytes: 64 * 1024 });
    await disk.fill(300 * 1024);
    let acknowledged = 0;
    await t.rejects(
      async () => {
        for (;;) {
          acknowledged =
            (await log.append([numbered(1), numbered(2, { text: 'x'.repeat(5000) })])).at(-1) ?? 0;
        }
      },
      { code: 'DISK_FULL', status: 507 },
    );
    t.ok(acknowledged > 0);
    t.equal((await readAll(log)).events.length, acknowledged);
    await t.rejects(log.append([numbered(1, { text: 'x'.repeat(20_000) })]), { code: 'DISK_FULL' });
    await disk.fill();
    await t.rejects(log.commit('reader', 1), { code: 'DISK_FULL' });
    t.equal(await log.committed('reader'), undefined);
    await unlink(join(disk.path, 'filler'));
    await log.commit('reader', 1);
    t.strictSame(await log.append([numbered(3)]), [acknowledged + 1]);
    await log.close();
    const reports: EventsReport[] = [];
    const again = await open(directory, { report: (report) => reports.push(report) });
    t.equal((await readAll(again)).events.length, acknowledged + 1);
    t.strictSame(reports, [], 'nothing torn was left');
    await again.close();
  },
);
