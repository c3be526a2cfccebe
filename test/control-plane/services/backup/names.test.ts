import t from 'tap';
import { backupName, backupOf } from '../../../../control-plane/services/backup/names.ts';

const takenAtMs = Date.UTC(2026, 10, 22, 1, 2, 3, 45);
const known = (services: readonly string[], key: string) => backupOf(services, { key, sizeBytes: 7 });

t.test('a series is of the services, in whatever order they are named', (t) => {
  const name = backupName(['users', 'billing'], takenAtMs, true);
  t.equal(name, 'nearcast-billing-users-20261122T010203045Z.tar.zst.sealed');
  t.equal(backupName(['billing', 'users'], takenAtMs, true), name);
  const view = { name, takenAtMs, sizeBytes: 7, sealed: true };
  t.strictSame(known(['users', 'billing'], name), view);
  t.strictSame(known(['billing', 'users'], name), view);
  const earlier = 'nearcast-users-billing-20261122T010203045Z.tar.zst';
  t.strictSame(
    known(['billing', 'users'], earlier),
    { name: earlier, takenAtMs, sizeBytes: 7, sealed: false },
    'one that an earlier version made, too',
  );
  t.end();
});

t.test('backups of others, and other things, are none', (t) => {
  const core = backupName(['users', 'core'], takenAtMs, false);
  t.equal(core, 'nearcast-20261122T010203045Z.tar.zst');
  t.ok(known(['core'], core));
  t.equal(known(['users'], core), undefined);
  t.equal(known(['core'], backupName(['users'], takenAtMs, false)), undefined);
  t.equal(known(['users'], backupName(['users', 'billing'], takenAtMs, false)), undefined);
  for (const key of ['nearcast-notes.txt', 'nearcast-20261322T010203045Z.tar.zst', `x${core}`, `${core}.tmp`])
    t.equal(known(['core'], key), undefined, key);
  t.end();
});
