// Commits one pair after another and says so after each, until it is killed; grouped, or grouped and waiting for no disk, if the second argument says so.
import { openGroupedRecords } from '../../../../common/adapters/records/sqlite-grouped.ts';
import { createSystemClock } from '../../../../common/runtime/clock.ts';
import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';

const [path = '', kind] = process.argv.slice(2);
const onLost = (error: Error): never => {
  throw error;
};
const syncsLaterBy = kind === 'unwaited' ? createSystemClock() : undefined;
const records = await (kind === 'alone'
  ? openSqliteRecords(path)
  : openGroupedRecords(path, { onLost, syncsLaterBy }));
for (let n = 1; ; n += 1) {
  const key = String(n).padStart(6, '0');
  await records.commit([
    { kind: 'put', collection: 'c', key, value: { n } },
    { kind: 'put', collection: 'pairs', key, value: { n, text: 'x'.repeat(3000) } },
  ]);
  process.stdout.write(`${String(n)}\n`);
  // Lets the line out before the next commit blocks the process.
  await new Promise((resolve) => setImmediate(resolve));
}
