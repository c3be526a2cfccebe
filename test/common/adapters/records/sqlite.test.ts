import { spawn } from 'node:child_process';
import { mkdtemp, open as openFile, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import t from 'tap';
import { openGrouped, openRecords } from '../../../../common/adapters/records/open.ts';
import type { Records } from '../../../../common/adapters/records/port.ts';
import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import { recordsConformance } from '../../../conformance/records.ts';
import { mountSmallDisk } from '../../../support/small-disk.ts';

const base = t.testdir();
const newPath = async (): Promise<string> => join(await mkdtemp(join(base, 'records-')), 'records.db');
const open = (path: string): Promise<Records> => openRecords(`sqlite://${path}`);

t.test('conformance: SQLite', (t) => {
  recordsConformance(t, async () => open(await newPath()), { path: newPath, open });
  t.end();
});

t.test('conformance: SQLite, grouped', (t) => {
  const openOne = async () => openGrouped(`sqlite://${await newPath()}`, { onLost: t.fail });
  recordsConformance(t, openOne, { path: newPath, open });
  t.end();
});

t.test('a URL that names no engine', async (t) => {
  for (const url of ['', 'file:///x', 'sqlite:x.db', 'sqlite://host/x.db']) {
    await t.rejects(openRecords(url), { code: 'CONFIG_INVALID' }, url);
  }
});

t.test(
  'what was committed is there after closing and opening again; the file is for its owner alone',
  async (t) => {
    const path = await newPath();
    const first = await open(path);
    const version = await first.put('c', 'k', { n: 1 });
    await first.close();
    const second = await open(path);
    t.strictSame(await second.get('c', 'k'), { key: 'k', version, value: { n: 1 } });
    t.ok((await second.put('c', 'k', {})) > version);
    t.equal((await stat(path)).mode & 0o777, 0o600);
    await second.close();
  },
);

t.test('what was removed is in no file once it is purged', async (t) => {
  const path = await newPath();
  const records = await open(path);
  const keys = Array.from(
    { length: 600 },
    (_, at) => `${at % 2 === 0 ? 'secret' : 'kept'}-${(at * 7919) % 600}`,
  );
  const put = (key: string) => ({
    kind: 'put' as const,
    collection: 'c',
    key,
    value: { text: `of ${key} ${'x'.repeat(at(key))}` },
  });
  const at = (key: string): number => (key.length * 37) % 3000;
  for (const key of keys) await records.commit([put(key)]);
  for (const key of keys) if (key.startsWith('secret')) await records.remove('c', key);
  await records.purge();
  for (const name of await readdir(dirname(path))) {
    const bytes = await readFile(join(dirname(path), name));
    t.notOk(bytes.includes('secret'), name);
  }
  t.equal((await records.scan('c')).length, 300);
  await records.close();
});

t.test('a second opener is told who is in the way', async (t) => {
  const path = await newPath();
  const records = await open(path);
  await t.rejects(openSqliteRecords(path, { lockWaitMs: 50 }), { code: 'STORE_LOCKED', message: path });
  await records.put('c', 'k', {});
  await records.close();
  await (await open(path)).close();
});

for (const kind of ['alone', 'grouped', 'unwaited'])
  t.test(`a process killed in mid-write leaves all that it acknowledged, and no lock: ${kind}`, async (t) => {
    const path = await newPath();
    const writer = spawn(process.execPath, [join(import.meta.dirname, 'busy-writer.ts'), path, kind], {
      stdio: 'pipe',
    });
    let acknowledged = 0;
    for await (const line of createInterface(writer.stdout)) {
      acknowledged = Number(line);
      if (acknowledged === 20)
        await t.rejects(openSqliteRecords(path, { lockWaitMs: 50 }), { code: 'STORE_LOCKED' });
      if (acknowledged === 50) writer.kill('SIGKILL');
    }
    const records = await open(path);
    const entries = await records.scan('c');
    t.ok(
      acknowledged >= 50 && entries.length >= acknowledged,
      `${String(entries.length)} of ${String(acknowledged)}`,
    );
    const pairs = await records.scan('pairs');
    t.equal(pairs.length, entries.length, 'both halves of each commit');
    await records.close();
  });

t.test('a database of a newer version is refused and left as it is', async (t) => {
  const path = await newPath();
  await (await open(path)).close();
  const newer = new Database(path);
  newer.pragma('user_version = 99');
  newer.close();
  const before = await readFile(path);
  await t.rejects(open(path), { code: 'STORE_NEWER' });
  t.ok(before.equals(await readFile(path)));
});

t.test('a database of another program is refused and left as it is', async (t) => {
  const path = await newPath();
  const other = new Database(path);
  other.exec('CREATE TABLE records (x)');
  other.close();
  await t.rejects(open(path), { code: 'STORE_CORRUPT' });
});

t.test('a first start that died before its migration was done is made good', async (t) => {
  const path = await newPath();
  const half = new Database(path);
  half.exec(
    'CREATE TABLE kysely_migration (name varchar(255) not null primary key, timestamp varchar(255) not null)',
  );
  half.close();
  const records = await open(path);
  t.equal(await records.put('c', 'k', {}), 1);
  await records.close();
});

t.test('a file that is no database, and one that is damaged', async (t) => {
  const nonsense = await newPath();
  await writeFile(nonsense, 'this is not a database, however long it is read for one. '.repeat(50));
  await t.rejects(open(nonsense), { code: 'STORE_CORRUPT' });

  const path = await newPath();
  const records = await open(path);
  for (let n = 0; n < 50; n += 1) await records.put('c', `k${String(n)}`, { text: 'x'.repeat(2000) });
  await records.close();
  const file = await openFile(path, 'r+');
  for (let page = 2; page < 30; page += 1) await file.write(Buffer.alloc(4096, 0xee), 0, 4096, page * 4096);
  await file.close();
  await t.rejects(
    async () => {
      const damaged = await open(path);
      try {
        await damaged.scan('c');
      } finally {
        await damaged.close();
      }
    },
    { code: 'STORE_CORRUPT' },
  );
});

t.test('a path that cannot be a file', async (t) => {
  await t.rejects(open('/proc/nearcast/records.db'), { name: 'CodedError' });
});

t.test('a full disk: a coded error, nothing lost, and writing goes on once there is room', async (t) => {
  const disk = await mountSmallDisk(2 * 1024 * 1024);
  if (typeof disk === 'string') {
    t.pass(`skipped: ${disk}`, { skip: disk });
    return;
  }
  t.teardown(disk.unmount);
  const path = join(disk.path, 'records.db');
  const records = await open(path);
  await records.put('c', 'kept', { n: 1 });
  await disk.fill(64 * 1024);
  let written = 0;
  await t.rejects(
    async () => {
      for (;;) {
        await records.put('c', `k${String(written)}`, { text: 'x'.repeat(10_000) });
        written += 1;
      }
    },
    { code: 'DISK_FULL' },
  );
  t.ok(written > 0);
  t.equal((await records.scan('c')).length, written + 1);
  await t.rejects(records.put('c', 'more', { text: 'x'.repeat(50_000) }), { code: 'DISK_FULL' });
  await unlink(join(disk.path, 'filler'));
  await records.put('c', 'more', { text: 'x'.repeat(50_000) });
  await records.close();
  const again = await open(path);
  t.equal((await again.scan('c')).length, written + 2);
  await again.close();
});

t.test('opening on a full disk', async (t) => {
  const disk = await mountSmallDisk(256 * 1024);
  if (typeof disk === 'string') {
    t.pass(`skipped: ${disk}`, { skip: disk });
    return;
  }
  t.teardown(disk.unmount);
  await disk.fill();
  await t.rejects(open(join(disk.path, 'records.db')), { code: 'DISK_FULL' });
});

t.test('an up-to-date file is opened without loading what migrates', async (t) => {
  const path = await newPath();
  await (await open(path)).close();
  const child = spawn(process.execPath, [join(import.meta.dirname, 'loaded-modules.ts'), path], {
    stdio: 'pipe',
  });
  const output = (await child.stdout.toArray()).join('');
  t.match(output, 'better-sqlite3');
  t.notMatch(output, 'kysely');
});
