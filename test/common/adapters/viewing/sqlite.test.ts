import { mkdtemp, readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';

import { openViewing } from '../../../../common/adapters/viewing/open.ts';
import type { Viewing } from '../../../../common/adapters/viewing/port.ts';
import type { ViewingRegister } from '../../../../common/core/viewing-state.ts';
import { viewingConformance } from '../../../conformance/viewing.ts';
import { HeldLog } from '../../../support/held-log.ts';

const base = t.testdir();
const newPath = async (): Promise<string> => join(await mkdtemp(join(base, 'viewing-')), 'viewing.db');
const open = (path: string): Promise<Viewing> => openViewing(`sqlite://${path}`, { onLost: t.fail });
const register: ViewingRegister = {
  profileId: 'prf_a',
  kind: 'progress',
  titleId: 'title_a',
  stamp: { atMs: 1000, deviceId: 'tv', sequence: 1 },
  value: 5000,
};

t.test('conformance: SQLite', (t) => {
  viewingConformance(t, async () => open(await newPath()), { path: newPath, open });
  t.end();
});

t.test('a URL that names no engine', async (t) => {
  for (const url of ['', 'file:///x', 'sqlite:x.db', 'sqlite://host/x.db'])
    await t.rejects(openViewing(url, { onLost: t.fail }), { code: 'CONFIG_INVALID' }, url);
});

t.test('what was joined is there after closing and opening again; nobody else gets in', async (t) => {
  const path = await newPath();
  const first = await open(path);
  const joined = first.join({ registers: [register], entries: [] });
  await t.rejects(open(path), { code: 'STORE_LOCKED' });
  await Promise.all([joined, first.close()]);
  const second = await open(path);
  t.strictSame(await second.registers('prf_a', 'progress', { limit: 10 }), [register]);
  await second.close();
});

t.test('what is joined is answered when the disk has it, and after a failed sync nothing is', async (t) => {
  const path = await newPath();
  const log = new HeldLog();
  const lost: string[] = [];
  const onLost = ({ code }: { code: string }): void => void lost.push(code);
  const viewing = await openViewing(`sqlite://${path}`, { onLost, openLog: async () => log });
  let answered = 0;
  const join = async (): Promise<void> => {
    await viewing.join({ registers: [register], entries: [] });
    answered++;
  };
  const together = [join(), join()];
  const one = await log.sync(0);
  t.equal((await viewing.registers('prf_a', 'progress', { limit: 10 })).length, 1, 'seen at once');
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(answered, 0);
  one.resolve();
  await Promise.all(together);
  t.equal(log.begun.length, 1);
  const unsynced = { code: 'STORE_UNSYNCED' };
  const erased = t.rejects(viewing.erase('prf_a'), unsynced);
  (await log.sync(1)).reject(new Error('EIO'));
  await erased;
  t.strictSame(lost, ['STORE_UNSYNCED']);
  await t.rejects(join(), unsynced);
  await t.rejects(viewing.registers('prf_a', 'progress', { limit: 10 }), unsynced);
  await t.rejects(viewing.copyTo(`${path}.copy`, { beforeEnd: async () => undefined }), unsynced);
  await viewing.close();
});

t.test('files of a newer version and of other kinds are refused', async (t) => {
  const path = await newPath();
  await (await open(path)).close();
  const newer = new Database(path);
  newer.pragma('user_version = 99');
  newer.close();
  await t.rejects(open(path), { code: 'STORE_NEWER' });
  const foreign = await newPath();
  const other = new Database(foreign);
  other.exec('CREATE TABLE registers (x)');
  other.close();
  await t.rejects(open(foreign), { code: 'STORE_CORRUPT' });
});

t.test('what was erased is in no file once it is purged', async (t) => {
  const path = await newPath();
  const viewing = await open(path);
  const secret = 'prf_a-secret-name';
  for (let round = 0; round < 20; round++) {
    const registers = Array.from({ length: 500 }, (_, at): ViewingRegister => ({
      ...register,
      profileId: at % 3 === 0 ? secret : `prf_${at % 7}`,
      titleId: `title_${round}-${(at * 7919) % 500}`,
      stamp: { atMs: round, deviceId: at % 3 === 0 ? 'secret-device' : 'tv', sequence: at },
    }));
    const entries = registers.map(({ profileId, titleId, stamp }, at) => ({
      ...{ profileId, titleId, stamp, positionMs: 1, watchedMs: 1 },
      ...{ startedAtMs: at, viewingId: `v${round}` },
    }));
    await viewing.join({ registers, entries });
  }
  await viewing.erase(secret);
  await viewing.purge();
  for (const name of await readdir(dirname(path))) {
    const bytes = await readFile(join(dirname(path), name));
    t.notOk(bytes.includes('secret'), name);
  }
  t.equal((await viewing.registers('prf_0', 'progress', { limit: 1000 })).length, 960);
  await viewing.close();
});

t.test('no statement reads a table from end to end', async (t) => {
  const path = await newPath();
  const prepared = new Set<string>();
  const { prepare } = Database.prototype;
  Database.prototype.prepare = function (this: Database.Database, source: string) {
    prepared.add(source);
    return prepare.call(this, source) as never;
  };
  t.teardown(() => {
    Database.prototype.prepare = prepare;
  });
  await (await open(path)).close();
  const file = new Database(path, { readonly: true });
  t.teardown(() => file.close());
  const reading = [...prepared].filter((source) => /registers|viewings/.test(source));
  t.ok(reading.length >= 8);
  for (const source of reading) {
    const values = Array.from({ length: source.split('?').length - 1 }, () => 1);
    const plan = file.prepare(`EXPLAIN QUERY PLAN ${source}`).all(...values) as { detail: string }[];
    for (const { detail } of plan) t.notMatch(detail, /SCAN (registers|viewings)|TEMP B-TREE/, source);
  }
});
