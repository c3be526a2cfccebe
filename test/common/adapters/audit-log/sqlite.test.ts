import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';

import { openAuditLog } from '../../../../common/adapters/audit-log/open.ts';
import type { AuditLog } from '../../../../common/adapters/audit-log/port.ts';
import type { AuditDraft } from '../../../../common/contract/audit.ts';
import { auditLogConformance } from '../../../conformance/audit-log.ts';
import { HeldLog } from '../../../support/held-log.ts';

const base = t.testdir();
const newPath = async (): Promise<string> => join(await mkdtemp(join(base, 'audit-log-')), 'audit.db');
const open = (path: string): Promise<AuditLog> => openAuditLog(`sqlite://${path}`, { onLost: t.fail });
const draft: AuditDraft = { atMs: 1, account: 'operator', action: 'sign-in', outcome: 'done' };

t.test('conformance: SQLite', (t) => {
  auditLogConformance(t, async () => open(await newPath()));
  t.end();
});

t.test('what is appended or told of is on the disk first; after a failed sync nothing is', async (t) => {
  const path = await newPath();
  const log = new HeldLog();
  const lost: string[] = [];
  const onLost = ({ code }: { code: string }): void => void lost.push(code);
  const auditLog = await openAuditLog(`sqlite://${path}`, { onLost, openLog: async () => log });
  const told: string[] = [];
  const appended = auditLog.append([draft]).then(() => void told.push('appended'));
  const first = await log.sync(0);
  const head = auditLog.head().then(({ sequence }) => void told.push(`head ${sequence}`));
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(told, [], 'a head that a power cut could take back is told to nobody');
  first.resolve();
  await Promise.all([appended, head]);
  t.strictSame(told.toSorted(), ['appended', 'head 1']);
  await auditLog.head();
  await auditLog.read({ limit: 9 });
  t.equal(log.begun.length, 1, 'what is read waits for no disk where nothing was written since');
  const unsynced = { code: 'STORE_UNSYNCED' };
  const refused = t.rejects(auditLog.append([draft]), unsynced);
  (await log.sync(1)).reject(new Error('EIO'));
  await refused;
  t.strictSame(lost, ['STORE_UNSYNCED']);
  const copied = () => auditLog.copyTo(`${path}.copy`, { beforeEnd: async () => undefined });
  await t.rejects(auditLog.head(), unsynced);
  await t.rejects(auditLog.read({ limit: 9 }), unsynced);
  await t.rejects(auditLog.append([draft]), unsynced);
  await t.rejects(copied(), unsynced);
  t.equal(log.begun.length, 2);
  await auditLog.close();
});

t.test('what a process before this one wrote is told of once the disk has it', async (t) => {
  const path = await newPath();
  const before = await open(path);
  await before.append([draft]);
  await before.close();
  const log = new HeldLog();
  const auditLog = await openAuditLog(`sqlite://${path}`, { onLost: t.fail, openLog: async () => log });
  const head = auditLog.head();
  (await log.sync(0)).resolve();
  t.equal((await head).sequence, 1);
  await auditLog.head();
  t.equal(log.begun.length, 1);
  await auditLog.close();
});

t.test('a URL that names no engine', async (t) => {
  for (const url of ['', 'file:///x', 'sqlite:x.db', 'sqlite://host/x.db'])
    await t.rejects(openAuditLog(url, { onLost: t.fail }), { code: 'CONFIG_INVALID' }, url);
});

t.test('what was appended is there after closing and opening again; one process has it', async (t) => {
  const path = await newPath();
  const first = await open(path);
  const entries = await first.append([draft, draft]);
  await t.rejects(open(path), { code: 'STORE_LOCKED' });
  await first.close();
  const second = await open(path);
  t.same(await second.read({ after: 0, limit: 9 }), entries);
  t.match(await second.append([draft]), [{ sequence: 3, previous: entries[1]?.hash }]);
  await second.close();
  const file = new Database(path);
  file.pragma('user_version = 2');
  file.close();
  await t.rejects(open(path), { code: 'STORE_NEWER' });
  const other = await newPath();
  new Database(other).exec('CREATE TABLE x (y); PRAGMA user_version = 7').close();
  await t.rejects(open(other), { code: 'STORE_CORRUPT' });
});

t.test('the database itself refuses what a chain does not allow', async (t) => {
  const path = await newPath();
  const auditLog = await open(path);
  const entries = await auditLog.append([draft, draft, draft, draft]);
  await auditLog.prune({ sequence: 1, hash: entries[0]?.hash ?? '' });
  await auditLog.close();
  const file = new Database(path);
  t.teardown(() => file.close());
  const row = file.prepare('SELECT text, hash FROM entries WHERE sequence = 4').get() as { text: string };
  const next = row.text.replace('"sequence":4', '"sequence":5').replace(/"previous":"\w+"/, '"previous":"x"');
  const forms = [
    "UPDATE entries SET text = replace(text, 'operator', 'another')",
    "UPDATE entries SET hash = 'x' WHERE sequence = 4",
    'DELETE FROM entries WHERE sequence = 4',
    'DELETE FROM entries WHERE sequence = 2',
    'DELETE FROM entries',
    'INSERT OR REPLACE INTO entries (sequence, text, hash) SELECT sequence, text, hash FROM entries WHERE sequence = 3',
    `INSERT INTO entries (sequence, text, hash) VALUES (5, '${next}', 'x')`,
    `INSERT INTO entries (sequence, text, hash) VALUES (6, '${row.text}', 'x')`,
    "UPDATE anchor SET sequence = 3, hash = 'x'",
    'UPDATE anchor SET sequence = 0',
    'UPDATE anchor SET sequence = 4, hash = (SELECT hash FROM entries WHERE sequence = 4)',
    'DELETE FROM anchor',
    "INSERT INTO anchor VALUES (2, 4, 'x')",
  ];
  for (const sql of forms) t.throws(() => file.exec(sql), { code: /^SQLITE_CONSTRAINT/ }, sql);
  t.equal(file.prepare('SELECT count(*) FROM entries').pluck().get(), 3);
});

t.test('an entry that cannot be read is named', async (t) => {
  const path = await newPath();
  const auditLog = await open(path);
  await auditLog.append([draft, draft]);
  await auditLog.close();
  const file = new Database(path);
  file.exec('DROP TRIGGER entries_stay');
  file.exec(
    `UPDATE entries SET text = replace(text, '"account":"operator"', '"account":7') WHERE sequence = 2`,
  );
  file.close();
  const again = await open(path);
  t.teardown(() => again.close());
  await t.rejects(again.read({ limit: 9 }), { code: 'STORE_CORRUPT', message: /entry 2.*account/ });
});

t.test('no question about one account, action or object reads the audit log from end to end', async (t) => {
  const path = await newPath();
  const statements = new Set<string>();
  const { prepare } = Database.prototype;
  t.teardown(() => {
    Database.prototype.prepare = prepare;
  });
  Database.prototype.prepare = function (this: Database.Database, source: string) {
    statements.add(source);
    return prepare.call(this, source) as never;
  };
  const auditLog = await open(path);
  await auditLog.append([draft]);
  const questions = [
    {},
    { after: 0 },
    { account: 'a' },
    { action: 'a' },
    { object: 'a' },
    { before: 9, account: 'a' },
  ];
  for (const question of questions) await auditLog.read({ ...question, limit: 9 });
  await auditLog.due({ beforeMs: 5, keepMax: 5 });
  await auditLog.close();
  Database.prototype.prepare = prepare;
  const file = new Database(path, { readonly: true });
  t.teardown(() => file.close());
  const reading = [...statements].filter((source) => /^\s*(SELECT|DELETE).*FROM entries/s.test(source));
  t.ok(reading.length >= 8, String(reading.length));
  for (const source of reading) {
    const values = Array.from({ length: source.split('?').length - 1 }, () => 1);
    const plan = file.prepare(`EXPLAIN QUERY PLAN ${source}`).all(...values) as { detail: string }[];
    const isFirst =
      /ORDER BY sequence (DESC|ASC)? ?LIMIT/.test(source) && !/account|action|object/.test(source);
    for (const { detail } of plan) if (!isFirst) t.notMatch(detail, /^SCAN/, source);
  }
});
