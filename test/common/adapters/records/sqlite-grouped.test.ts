import { mkdtemp, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { openRecords } from '../../../../common/adapters/records/open.ts';
import type { Records } from '../../../../common/adapters/records/port.ts';
import { openGroupedRecords } from '../../../../common/adapters/records/sqlite-grouped.ts';
import { HeldLog } from '../../../support/held-log.ts';
import type { Clock } from '../../../../common/runtime/clock.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { toCoded } from '../../../../common/runtime/errors.ts';

const base = t.testdir();
const newPath = async (): Promise<string> => join(await mkdtemp(join(base, 'grouped-')), 'records.db');

async function openHeld(path: string, options: { syncsLaterBy?: Clock } = {}) {
  const log = new HeldLog();
  const lost: string[] = [];
  const onLost = ({ code }: { code: string }): void => void lost.push(code);
  const records = await openGroupedRecords(path, { onLost, openLog: async () => log, ...options });
  return { records, log, lost };
}

/** Puts documents; says which of them were answered. */
function puts(records: Records, answered: string[]) {
  return (key: string) =>
    records.put('c', key, {}).then(
      () => void answered.push(key),
      (error: unknown) => void answered.push(`${key} ${toCoded(error).code}`),
    );
}

const ioError = (): Error => Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
const unsynced = { code: 'STORE_UNSYNCED' };
/** All that needs no disk is done. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test(
  'a change is answered by a sync that began after it; two overlap, and what waits shares the next',
  async (t) => {
    const { records, log, lost } = await openHeld(await newPath());
    const answered: string[] = [];
    const put = puts(records, answered);
    const first = [put('a'), put('b')];
    const one = await log.sync(0);
    const second = put('c');
    const two = await log.sync(1);
    const rest = [put('d'), put('e'), records.remove('c', 'a').then(() => void answered.push('-a'))];
    await settled();
    t.strictSame(answered, [], 'nothing is answered before the disk has it');
    t.equal(log.begun.length, 2, 'what is written together shares a sync, and two are under way at most');
    t.equal((await records.scan('c')).length, 4, 'but it is seen');
    two.resolve();
    await second;
    const three = await log.sync(2);
    await settled();
    t.strictSame(answered, ['c'], 'the syncs under way began before the others were written');
    three.resolve();
    await Promise.all(rest);
    t.strictSame(answered.toSorted(), ['-a', 'c', 'd', 'e']);
    one.resolve();
    await Promise.all(first);
    t.equal(log.begun.length, 3);
    t.strictSame(lost, []);
    await records.close();
  },
);

t.test(
  'each sync that may be under way has a descriptor of its own, which is told of what fails',
  async (t) => {
    const opened: HeldLog[] = [];
    const openLog = async (): Promise<HeldLog> => opened[opened.push(new HeldLog()) - 1] ?? new HeldLog();
    const records = await openGroupedRecords(await newPath(), { onLost: t.fail, openLog });
    const answers = [records.put('c', 'a', {})];
    await settled();
    answers.push(records.put('c', 'b', {}));
    await settled();
    t.strictSame(
      opened.map(({ begun }) => begun.length),
      [1, 1],
    );
    for (const { begun } of opened) begun[0]?.resolve();
    await Promise.all(answers);
    await records.close();
    t.strictSame(
      opened.map(({ isClosed }) => isClosed),
      [true, true],
    );
  },
);

t.test(
  'where nobody waits for the disk a change is answered at once and synced soon, with what came since',
  async (t) => {
    const clock = createManualClock();
    const { records, log, lost } = await openHeld(await newPath(), { syncsLaterBy: clock });
    await records.put('c', 'a', {});
    await clock.advance(249);
    await records.put('c', 'b', {});
    t.equal(log.begun.length, 0);
    await clock.advance(1);
    t.equal(log.begun.length, 1);
    (await log.sync(0)).resolve();
    await clock.advance(1000);
    t.equal(log.begun.length, 1, 'nothing was written since');
    await records.put('c', 'c', {});
    await clock.advance(250);
    (await log.sync(1)).reject(ioError());
    await settled();
    t.strictSame(lost, ['STORE_UNSYNCED']);
    await t.rejects(records.put('c', 'd', {}), unsynced);
    await records.close();
    t.equal(clock.sleeping(), 0);
  },
);

t.test('what is written in the very turn in which it is closed is answered', async (t) => {
  const { records, log, lost } = await openHeld(await newPath());
  const put = records.put('c', 'a', {});
  const closed = records.close();
  (await log.sync(0)).resolve();
  await Promise.all([put, closed]);
  t.equal(log.begun.length, 1);
  t.strictSame(lost, []);
});

t.test('who closes hears of what was lost at the last', async (t) => {
  const { records, log, lost } = await openHeld(await newPath(), { syncsLaterBy: createManualClock() });
  await records.put('c', 'a', {});
  const closed = t.rejects(records.close(), unsynced);
  (await log.sync(0)).reject(ioError());
  await closed;
  t.strictSame(lost, ['STORE_UNSYNCED']);
  t.ok(log.isClosed);
});

t.test('what nobody waited for is there after closing, which waits for no time to pass', async (t) => {
  const path = await newPath();
  const clock = createManualClock();
  const { records, log } = await openHeld(path, { syncsLaterBy: clock });
  await records.put('c', 'a', {});
  t.equal(clock.sleeping(), 1);
  const closed = records.close();
  (await log.sync(0)).resolve();
  await closed;
  t.equal(clock.sleeping(), 0);
  const again = await openRecords(`sqlite://${path}`);
  t.ok(await again.get('c', 'a'));
  await again.close();
});

t.test('what is under way is synced before it is closed', async (t) => {
  const path = await newPath();
  const { records, log } = await openHeld(path);
  const answered: string[] = [];
  const put = puts(records, answered)('a');
  const one = await log.sync(0);
  const closed = records.close();
  await settled();
  t.notOk(log.isClosed);
  one.resolve();
  await Promise.all([put, closed]);
  t.ok(log.isClosed);
  t.strictSame(answered, ['a']);
  const again = await openRecords(`sqlite://${path}`);
  t.ok(await again.get('c', 'a'));
  await again.close();
});

t.test(
  'after a sync that failed nothing is answered, read or copied, and no sync is tried again',
  async (t) => {
    const path = await newPath();
    const { records, log, lost } = await openHeld(path);
    const answered: string[] = [];
    const put = puts(records, answered);
    const first = put('a');
    const one = await log.sync(0);
    const second = put('b');
    const two = await log.sync(1);
    const third = put('c');
    await settled();
    one.reject(ioError());
    await Promise.all([first, third, put('d')]);
    t.strictSame(
      answered.toSorted(),
      ['a STORE_UNSYNCED', 'c STORE_UNSYNCED', 'd STORE_UNSYNCED'],
      'whoever waited for the next sync hears of it too',
    );
    two.resolve();
    await second;
    t.equal(answered.at(-1), 'b STORE_UNSYNCED', 'and who waited for the other sync, though that went well');
    t.strictSame(lost, ['STORE_UNSYNCED'], 'the process is told once');
    await t.rejects(records.get('c', 'a'), unsynced);
    await t.rejects(records.scan('c'), unsynced);
    await t.rejects(records.remove('c', 'a'), unsynced);
    await t.rejects(records.purge(), unsynced);
    await t.rejects(records.copyTo(`${path}.copy`, { beforeEnd: async () => undefined }), unsynced);
    await t.rejects(stat(`${path}.copy`), { code: 'ENOENT' }, 'not even begun');
    t.equal(log.begun.length, 2, 'the next sync would tell of success');
    const [file, wal] = await Promise.all([readFile(path), readFile(`${path}-wal`)]);
    await records.close();
    t.ok(log.isClosed);
    t.ok(file.equals(await readFile(path)), 'closing brings nothing of the log into the file');
    t.ok(wal.equals(await readFile(`${path}-wal`)));
  },
);

t.test('a copy under way when a sync fails comes to nothing', async (t) => {
  const path = await newPath();
  const { records, log } = await openHeld(path);
  const answered: string[] = [];
  const first = puts(records, answered)('a');
  const one = await log.sync(0);
  const beforeEnd = async (): Promise<void> => {
    one.reject(ioError());
    await first;
  };
  await t.rejects(records.copyTo(`${path}.copy`, { beforeEnd }), unsynced);
  t.strictSame(answered, ['a STORE_UNSYNCED']);
  await records.close();
});

t.test('a copy is not done before what it holds is on the disk', async (t) => {
  const path = await newPath();
  const { records, log } = await openHeld(path);
  const put = puts(records, [])('a');
  const one = await log.sync(0);
  let isDone = false;
  const copied = records.copyTo(`${path}.copy`, { beforeEnd: async () => void puts(records, [])('b') });
  const noted = copied.then(() => {
    isDone = true;
  });
  const two = await log.sync(1);
  one.resolve();
  await put;
  // Its file gets its name when all of it is there.
  while (!(await stat(`${path}.copy`).catch(() => undefined))) await settled();
  for (let turn = 0; turn < 20; turn++) await settled();
  t.notOk(isDone);
  two.resolve();
  await noted;
  await records.close();
});
