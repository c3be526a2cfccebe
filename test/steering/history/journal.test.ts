import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { createLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { listSegments } from '../../../steering/history/journal-files.ts';
import { readSegment } from '../../../steering/history/journal-reader.ts';
import { Journal, type JournalOptions } from '../../../steering/history/journal.ts';
import { seededRandom } from '../../support/seeded.ts';

const hourMs = 3_600_000;

function lab(test: Test, options: Partial<JournalOptions> = {}) {
  const directory = join(test.testdir(), 'journal');
  const clock = createManualClock({ nowMs: Date.UTC(2026, 10, 21) });
  const said: string[] = [];
  const log = createLog({ name: 'test', format: 'json', write: (line) => said.push(line) });
  const journal = new Journal({
    ...{ directory, clock, log, opening: () => ['opening'] },
    ...{ keepMs: 48 * hourMs, bytesMax: 2 ** 30, segmentMs: hourMs, segmentBytes: 2 ** 20, ...options },
  });
  const over = new AbortController();
  const running = journal.open().then(() => journal.run(over.signal));
  const close = async () => {
    over.abort();
    await running;
  };
  return { directory, clock, said, journal, close };
}

/** The journal makes its directory when it is opened. */
async function opened(directory: string): Promise<void> {
  while ((await stat(directory).catch(() => undefined)) === undefined) await new Promise(setImmediate);
}

async function linesOf(directory: string): Promise<string[][]> {
  const segments = await listSegments(directory);
  return await Promise.all(segments.map(({ path }) => Array.fromAsync(readSegment(path))));
}

t.test('what is appended is read, segment by segment, each with its opening', async (test) => {
  const { directory, clock, journal, close } = lab(test);
  await opened(directory);
  journal.append('one');
  journal.append('zwei ü');
  await clock.advance(hourMs);
  journal.append('three');
  await close();
  test.same(await linesOf(directory), [
    ['opening', 'one', 'zwei ü'],
    ['opening', 'three'],
  ]);
  test.equal(journal.dropped, 0);
});

t.test('maps that are much alike cost little', async (test) => {
  const { directory, journal, close } = lab(test, { segmentBytes: 2 ** 30 });
  await opened(directory);
  const random = seededRandom(1);
  const boxes = Array.from({ length: 20_000 }, (_, box) => `box-${box} ${random()}`);
  for (let map = 0; map < 20; map++) {
    boxes[map * 7] = `box-${map * 7} ${random()}`;
    journal.append(boxes.join());
  }
  await close();
  const [segment] = await listSegments(directory);
  const whole = boxes.join().length;
  test.ok((segment?.sizeBytes ?? Infinity) < whole, `${segment?.sizeBytes} bytes for 20 maps of ${whole}`);
  const [lines] = await linesOf(directory);
  test.equal(lines?.at(-1), boxes.join());
});

t.test('a segment that was cut off, or is damaged, gives what is whole', async (test) => {
  const { directory, clock, journal, close } = lab(test);
  await opened(directory);
  journal.append('flushed');
  // The journal may have slept but now.
  while ((await linesOf(directory))[0]?.length !== 2) await clock.advance(1000);
  journal.append(randomBytes(100_000).toString('hex'));
  await close();
  const [segment] = await listSegments(directory);
  const bytes = await readFile(segment?.path ?? '');
  await writeFile(segment?.path ?? '', bytes.subarray(0, -1000));
  test.same(await linesOf(directory), [['opening', 'flushed']]);
  await writeFile(segment?.path ?? '', Buffer.from('no journal'));
  test.same(await linesOf(directory), [[]]);
});

t.test(
  'damage anywhere in a segment costs what follows it there, and nothing false is read',
  async (test) => {
    const { directory, clock, journal, close } = lab(test, { segmentMs: 24 * hourMs });
    await opened(directory);
    const random = seededRandom(7);
    const lines = Array.from(
      { length: 400 },
      (_, at) => `{"atMs":${at},"free":${random()},"box":"isp-${at % 7}"}`,
    );
    for (const [at, line] of lines.entries()) {
      journal.append(line);
      if (at % 10 !== 9) continue;
      // The journal may have slept but now; each ten are written together.
      do await clock.advance(1000);
      while ((await linesOf(directory))[0]?.length !== at + 2);
    }
    await clock.advance(24 * hourMs);
    journal.append('the next segment');
    await close();
    const [{ path } = { path: '' }, next] = await listSegments(directory);
    const written = ['opening', ...lines];
    const sound = await readFile(path);
    let found = 0;
    let read = 0;
    const rounds = 60;
    for (let round = 0; round < rounds; round++) {
      const damaged = Buffer.from(sound);
      const at = Math.floor(random() * damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      await writeFile(path, damaged);
      const broken: string[] = [];
      const got = await Array.fromAsync(readSegment(path, (how) => broken.push(how)));
      test.same(got, written.slice(0, got.length));
      if (got.length < written.length) test.equal(broken.length, 1, `the byte ${at} of ${sound.length}`);
      found += broken.length;
      read += got.length;
    }
    test.ok(found > 0.9 * rounds, `${found} of ${rounds} found`);
    test.ok(read > 0.3 * rounds * written.length, `${read} of ${rounds * written.length} lines read`);
    test.same(await Array.fromAsync(readSegment(next?.path ?? '')), ['opening', 'the next segment']);
  },
);

t.test('what versions before checks have written is read', async (test) => {
  const { directory, close } = lab(test);
  await opened(directory);
  await writeFile(join(directory, '1795219200000.journal.zst'), zstdCompressSync('{}\n{"two":2}\n'));
  test.same(await linesOf(directory), [['{}', '{"two":2}']]);
  await close();
});

t.test('of a segment that is being written all that was flushed is read, however slowly', async (test) => {
  const { directory, clock, journal, close } = lab(test);
  await opened(directory);
  const lines = Array.from({ length: 2000 }, (_, at) => `line ${at} ${'x'.repeat(100)}`);
  for (const line of lines) journal.append(line);
  await clock.advance(1000);
  const [segment] = await listSegments(directory);
  const path = segment?.path ?? '';
  // Until the disk has it; the journal may have slept but now.
  while ((await Array.fromAsync(readSegment(path))).at(-1) !== lines.at(-1)) await clock.advance(1000);
  const read: string[] = [];
  for await (const line of readSegment(path)) {
    if (read.length % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    read.push(line);
  }
  test.same(read, ['opening', ...lines]);
  await close();
});

t.test('it keeps no more than it may, by age and by size', async (test) => {
  const random = seededRandom(2);
  const noise = () => Array.from({ length: 10_000 }, () => random().toString(36)).join();
  const { directory, clock, journal, close } = lab(test, { keepMs: 3 * hourMs });
  await opened(directory);
  const starts = async () => (await listSegments(directory)).length;
  for (let hour = 0; hour < 6; hour++) {
    journal.append(`hour ${hour}`);
    await clock.advance(hourMs);
  }
  await close();
  // Those whose time is over go behind the last segment's begin.
  while ((await starts()) > 5) await new Promise(setImmediate);
  const more = lab(test, { bytesMax: 400_000, segmentBytes: 1 });
  await opened(more.directory);
  for (let line = 0; line < 8; line++) {
    more.journal.append(noise());
    await more.clock.advance(1);
  }
  await more.close();
  const kept = await listSegments(more.directory);
  test.ok(kept.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) < 600_000);
  test.match((await linesOf(more.directory)).at(-1), ['opening', /./]);
});

t.test('a disk that fails costs lines, not more, and is tried again', async (test) => {
  const { directory, clock, said, journal, close } = lab(test);
  await opened(directory);
  await rmdir(directory);
  await writeFile(directory, 'not a directory');
  journal.append('lost');
  while (said.length === 0) await new Promise(setImmediate);
  test.match(said.join(), /the journal cannot be written/);
  journal.append('lost too');
  test.equal(journal.dropped, 1);
  await rm(directory);
  await mkdir(directory);
  await clock.advance(1000);
  journal.append('kept');
  await close();
  test.same(await linesOf(directory), [['opening', 'kept']]);
});
