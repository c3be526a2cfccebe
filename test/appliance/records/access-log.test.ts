import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { open, readdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';
import t from 'tap';

import { AccessLog } from '../../../appliance/records/access-log.ts';
import { LogRotation } from '../../../appliance/records/log-rotation.ts';
import { createSystemClock, type Clock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { mountSmallDisk } from '../../support/small-disk.ts';

const clock = createSystemClock();

/** A clock whose short sleeps are over at once: nothing is gathered. */
const hasty: Clock = { ...clock, sleep: () => Promise.resolve() };

const line = (index: number, bytes = 200) => `{"n":${index},"fill":"${'x'.repeat(bytes)}"}\n`;

async function linesOf(path: string): Promise<number[]> {
  const text = (await readFile(path, 'utf8')).trimEnd();
  return text === '' ? [] : text.split('\n').map((each) => (JSON.parse(each) as { n: number }).n);
}

void t.test('several processes append whole lines to one file, over a rotation too', async (test) => {
  const folder = await temporaryDirectory(test);
  const path = join(folder, 'logs', 'access.log');
  const writer = join(import.meta.dirname, 'log-writer.ts');
  const writers = [0, 1, 2].map((each) => fork(writer, [path, String(each * 10_000), '4000']));
  await once(writers[0]!, 'message');
  await rename(path, `${path}.aside`);
  const ends = await Promise.all(writers.map(async (each) => (await once(each, 'exit'))[0] as number));
  test.same(ends, [0, 0, 0]);
  const seen = [...(await linesOf(`${path}.aside`)), ...(await linesOf(path))];
  const wanted = [0, 1, 2].flatMap((each) => Array.from({ length: 4000 }, (_, at) => each * 10_000 + at));
  test.same(
    seen.toSorted((a, b) => a - b),
    wanted,
    'every line once',
  );
  test.ok((await linesOf(path)).length > 0, 'the new file was found');
});

void t.test(
  'a disk that stands still: lines beyond the buffer are dropped and counted, the rest comes whole',
  async (test) => {
    const path = join(await temporaryDirectory(test), 'access.log');
    await promisify(execFile)('mkfifo', [path]);
    const reader = await open(path, constants.O_RDWR);
    const log = new AccessLog({ path, clock: hasty, log: createSilentLog(), bufferBytes: 300_000 });
    const startedMs = performance.now();
    for (let index = 0; index < 3000; index++) log.append(Buffer.from(line(index)));
    test.ok(performance.now() - startedMs < 500, 'nobody waits for it');
    const kept = 3000 - log.dropped;
    test.ok(log.dropped > 1000 && kept > 1000, `${kept} kept`);
    const closed = log.close();
    let text = '';
    const part = Buffer.alloc(65_536);
    while ((text.match(/\n/g) ?? []).length < kept) {
      const { bytesRead } = await reader.read(part);
      text += part.toString('utf8', 0, bytesRead);
    }
    await closed;
    test.same(
      text
        .trimEnd()
        .split('\n')
        .map((each) => (JSON.parse(each) as { n: number }).n),
      Array.from({ length: kept }, (_, at) => at),
    );
    await reader.close();
  },
);

void t.test('a full disk: counted, said once, and written again when there is room', async (test) => {
  const disk = await mountSmallDisk(1024 * 1024);
  if (typeof disk === 'string') {
    test.pass(disk, { skip: disk });
    return;
  }
  const path = join(disk.path, 'access.log');
  const { said, log: memory } = memoryLog();
  const log = new AccessLog({ path, clock: hasty, log: memory });
  log.append(Buffer.from(line(0)));
  while ((await stat(path).catch(() => undefined)) === undefined) await clock.sleep(5);
  await disk.fill();
  for (let index = 1; index < 200; index++) {
    log.append(Buffer.from(line(index, 1000)));
    await clock.sleep(1);
  }
  while (log.dropped === 0) await clock.sleep(5);
  test.equal(said.filter(({ level }) => level === 'warn').length, 1, 'said once');
  await writeFile(join(disk.path, 'filler'), '');
  await clock.sleep(20);
  log.append(Buffer.from(line(1000)));
  await log.close();
  const text = await readFile(path, 'utf8');
  test.ok(text.endsWith(`\n${line(1000)}`), 'on a line of its own');
  test.match(said.at(-1), { level: 'info', msg: /written again/ });
  const torn = text
    .trimEnd()
    .split('\n')
    .filter((each) => !each.startsWith('{') || !each.endsWith('}'));
  test.ok(torn.length <= 1, 'at most the line that was being written is torn');
  await disk.unmount();
});

void t.test(
  'a folder that cannot be made: dropped, counted, tried again later, never in the way',
  async (test) => {
    const folder = await temporaryDirectory(test);
    await writeFile(join(folder, 'logs'), 'a file');
    const { said, log: memory } = memoryLog();
    const log = new AccessLog({ path: join(folder, 'logs', 'access.log'), clock: hasty, log: memory });
    for (let index = 0; index < 5; index++) {
      log.append(Buffer.from(line(index) + line(index)));
      await clock.sleep(5);
    }
    await log.close();
    test.equal(log.dropped, 10);
    test.equal(said.length, 1);
  },
);

void t.test('rotation: by size, by day, compressed after a while, the oldest removed', async (test) => {
  const path = join(await temporaryDirectory(test), 'access.log');
  const folder = join(path, '..');
  const time = createManualClock({ nowMs: Date.now() });
  let rotated = 0;
  let isQuiet = false;
  const rotation = new LogRotation({
    path,
    fileBytesMax: 100,
    filesMax: 2,
    clock: time,
    log: createSilentLog(),
    isQuiet: () => isQuiet,
    onRotated: () => rotated++,
  });
  await rotation.look();
  await writeFile(path, line(1, 10));
  await rotation.look();
  test.equal(rotated, 0, 'small and of today');
  await writeFile(path, line(1, 100));
  await rotation.look();
  test.equal(rotated, 1);
  const [first] = await readdir(folder);
  test.match(first, /^access-\d{8}T\d{9}Z\.log$/, 'writers may not be done with it');
  await time.advance(60_000);
  await rotation.look();
  test.same(await readdir(folder), [first], 'not while viewers need the CPU');
  isQuiet = true;
  await rotation.look();
  test.same(await readdir(folder), [`${first}.zst`]);
  test.equal(zstdDecompressSync(await readFile(join(folder, `${first}.zst`))).toString(), line(1, 100));

  await writeFile(path, line(2, 10));
  const yesterday = new Date(time.nowMs() - 86_400_000);
  await utimes(path, yesterday, yesterday);
  await rotation.look();
  test.equal(rotated, 2, 'of an earlier day');
  await time.advance(60_000);
  await writeFile(path, line(3, 100));
  await rotation.look();
  const names = await readdir(folder);
  test.equal(names.length, 2);
  test.notOk(names.includes(`${first}.zst`), 'the oldest is gone');

  await writeFile(join(folder, `${names[0]!.replace('.zst', '')}.zst.tmp`), 'half');
  await writeFile(join(folder, 'notes.txt'), 'kept');
  const end = new AbortController();
  const done = rotation.run(end.signal);
  while ((await readdir(folder)).some((name) => name.endsWith('.tmp'))) await clock.sleep(5);
  end.abort();
  await done;
  test.ok((await readdir(folder)).includes('notes.txt'));
});
