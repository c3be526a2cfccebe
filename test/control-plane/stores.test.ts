import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { openRecords } from '../../common/adapters/records/open.ts';
import { exitCodes } from '../../common/runtime/exit-codes.ts';
import { temporaryDir } from './support/control-plane.ts';

t.test('a disk that does not sync ends the process with a code; what was answered is there', async (t) => {
  const dataDir = await temporaryDir(t);
  const script = join(import.meta.dirname, 'processes', 'unsynced.ts');
  const child = spawn(process.execPath, [script, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [said, [exitCode]] = await Promise.all([child.stdout.toArray(), once(child, 'close')]);
  const records = said
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string; code?: string; msg: string });
  const [fatal, ...others] = records.filter(({ level }) => level === 'fatal');
  t.match(fatal, { code: 'STORE_UNSYNCED', msg: /playback\.db-wal: EIO.*see to the disk, then start again/ });
  t.equal(others.length, 0);
  t.equal(exitCode, exitCodes.cannotCreate);
  const store = await openRecords(`sqlite://${join(dataDir, 'records', 'playback.db')}`);
  t.teardown(() => store.close());
  t.ok(await store.get('c', 'first'));
});
