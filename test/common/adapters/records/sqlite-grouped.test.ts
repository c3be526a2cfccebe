import { mkdtemp, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { openRecords } from '../../../../common/adapters/records/open.ts';
import type { Records } from '../../../../common/adapters/records/port.ts';
import { openGroupedRecords } from '../../../../common/adapters/records/sqlite-grouped.ts';
import { HeldLog } from '../../../support/held-log.ts';
import { toCoded } from '../../../../common/runtime/errors.ts';

const base = t.testdir();
const newPath = async (): Promise<string> => join(await mkdtemp(join(base, 'grouped-')), 'records.db');

async function openHeld(path: string) {
  const log = new HeldLog();
  const lost: string[] = [];
  const onLost = ({ code }: { code: string }): void => void lost.push(code);
  const records = await openGroupedRecords(path, { onLost, openLog: async () => log });
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

t.test('a change is answered by a sync that began after it, and what waits shares one', async (t) => {
  const { records, log, lost } = await openHeld(await newPath());
  const answered: string[] = [];
  const put = puts(records, answered);
  const first = put('a');
  const one = await log.sync(0);
  const rest = [put('b'), put('c'), records.remove('c', 'a').then(() => void answered.push('-a'))];
  await settled();
  t.strictSame(answered, [], 'nothing is answered before the disk has it');
  t.equal(log.begun.length, 1, 'one sync at a time');
  t.equal((await records.scan('c')).length, 2, 'but it is seen');
  one.resolve();
  await first;
  const two = await log.sync(1);
  await settled();
  t.strictSame(answered, ['a'], 'the sync under way began before the others were written');
  two.resolve();
  await Promise.all(rest);
  t.strictSame(answered.toSorted(), ['-a', 'a', 'b', 'c']);
  t.equal(log.begun.length, 2);
  t.strictSame(lost, []);
  await records.close();
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
    await settled();
    one.reject(ioError());
    await Promise.all([first, second, put('c')]);
    t.strictSame(
      answered.toSorted(),
      ['a STORE_UNSYNCED', 'b STORE_UNSYNCED', 'c STORE_UNSYNCED'],
      'whoever waited for the next sync hears of it too',
    );
    t.strictSame(lost, ['STORE_UNSYNCED'], 'the process is told once');
    await t.rejects(records.get('c', 'a'), unsynced);
    await t.rejects(records.scan('c'), unsynced);
    await t.rejects(records.remove('c', 'a'), unsynced);
    await t.rejects(records.purge(), unsynced);
    await t.rejects(records.copyTo(`${path}.copy`, { beforeEnd: async () => undefined }), unsynced);
    await t.rejects(stat(`${path}.copy`), { code: 'ENOENT' }, 'not even begun');
    t.equal(log.begun.length, 1, 'the next sync would tell of success');
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
  const copied = records.copyTo(`${path}.copy`, { beforeEnd: async () => undefined }).then(() => {
    isDone = true;
  });
  one.resolve();
  await put;
  const two = await log.sync(1);
  t.notOk(isDone);
  two.resolve();
  await copied;
  await records.close();
});
