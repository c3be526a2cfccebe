import { join } from 'node:path';
import t from 'tap';
import { coded } from '../../../../common/runtime/errors.ts';
import { openSqliteFile, runSqlite, sqliteError } from '../../../../common/adapters/shared/sqlite-file.ts';

t.test('faults of our own are told apart from those of the disk', async (t) => {
  const file = await openSqliteFile(join(t.testdir(), 'one.db'));
  file.exec('CREATE TABLE one (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT');
  const put = file.prepare('INSERT INTO one VALUES (?, ?)');
  put.run(1, 'a');
  const ours: [string, () => unknown][] = [
    ['a key that is there', () => put.run(1, 'b')],
    ['a value that may not be absent', () => put.run(2, null)],
    ['a value of another type', () => put.run('x', 'b')],
    ['too few values', () => put.run(2)],
    ['a value that SQLite has not', () => put.run(2, {})],
    ['a table that is not there', () => file.prepare('SELECT * FROM two')],
    ['no SQL', () => file.exec('nonsense')],
    ['a bug before SQLite is asked', () => (undefined as unknown as string).length],
  ];
  for (const [what, work] of ours)
    await t.rejects(runSqlite('one', work), { code: 'INTERNAL', status: 500 }, what);
  await t.rejects(
    runSqlite('one', () => {
      throw coded('RECORDS_CONFLICT');
    }),
    { code: 'RECORDS_CONFLICT' },
  );
  file.close();
  await t.rejects(
    runSqlite('one', () => put.run(3, 'c')),
    { code: 'STORE_UNAVAILABLE' },
    'it is closed',
  );
});

t.test('failures of the disk, by their codes', (t) => {
  const failure = (code: string, more: object = {}) =>
    sqliteError(Object.assign(new Error(code), { code, ...more }), 'one').code;
  t.equal(failure('SQLITE_IOERR_FSYNC'), 'STORE_UNAVAILABLE');
  t.equal(failure('SQLITE_CANTOPEN'), 'STORE_UNAVAILABLE');
  t.equal(failure('SQLITE_FULL'), 'DISK_FULL');
  t.equal(failure('SQLITE_CORRUPT_VTAB'), 'STORE_CORRUPT');
  t.equal(failure('SQLITE_BUSY_SNAPSHOT'), 'STORE_LOCKED');
  t.equal(failure('SQLITE_READONLY_DIRECTORY'), 'STORE_DENIED');
  t.equal(failure('ENOSPC', { syscall: 'open' }), 'DISK_FULL');
  t.equal(failure('EIO', { syscall: 'read' }), 'STORE_UNAVAILABLE');
  t.end();
});
