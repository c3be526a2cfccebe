import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { mkdir, writeFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { openBlobs } from '../../../../common/adapters/blobs/open.ts';
import { coded } from '../../../../common/runtime/errors.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { backupName } from '../../../../control-plane/services/backup/names.ts';
import { createBackups, type BackupsOptions } from '../../../../control-plane/services/backup/service.ts';
import { openStores } from '../../../../control-plane/stores.ts';
import { readConfig } from '../../../../control-plane/config.ts';
import { eventually, temporaryDir } from '../../support/control-plane.ts';

const hourMs = 3_600_000;

async function open(t: Test, more: Partial<BackupsOptions> = {}) {
  const dataDir = await temporaryDir(t);
  const clock = createManualClock();
  const log = createSilentLog();
  const stores = await openStores({ config: readConfig(['--data-dir', dataDir], {}), clock, log });
  await mkdir(join(dataDir, 'keys'));
  await writeFile(join(dataDir, 'keys', 'root.json'), '{}');
  const records = await stores.open('first');
  await records.put('c', 'k', {});
  const url = pathToFileURL(join(dataDir, 'backups')).href;
  const backups = createBackups({
    ...{ snapshots: stores, dataDir, clock, log, program: '1.2.3', services: ['core', 'users'] },
    ...{ passphrase: undefined },
    ...{ openBlobs: () => openBlobs(url), keep: 2, everyMs: hourMs, ...more },
  });
  t.teardown(async () => {
    await backups.stop();
    await stores.close();
  });
  return { backups, clock, url };
}

t.test('made by itself when it is time; so many are kept', async (t) => {
  const { backups, clock, url } = await open(t);
  const kept = async () => (await backups.list()).backups.map(({ takenAtMs }) => takenAtMs);
  // What else lies there is nobody's backup.
  const blobs = await openBlobs(url);
  await blobs.write('nearcast-notes.txt', (async function* () {})());
  await blobs.write(backupName(['users'], 1, false), (async function* () {})());
  backups.start(new AbortController().signal);
  const times: number[] = [];
  for (let round = 1; round <= 3; round++) {
    await eventually(kept, (all) => all.length === Math.min(round, 2) && all[0] !== times[0]);
    times.unshift(...(await kept()).slice(0, 1));
    // Until it sleeps again: then whatever it had to do is done.
    await eventually(
      () => Promise.resolve(clock.sleeping()),
      (count) => count === 1,
    );
    await clock.advance(hourMs - 60_000 * 2);
    t.equal((await kept())[0], times[0], 'not before');
    await clock.advance(60_000 * 2);
  }
  // The one before the last two goes behind the last one's making.
  await eventually(kept, (all) => all[0] !== times[0] && all.length === 2);
  t.equal(new Set(times).size, 3);
  t.ok(await blobs.stat('nearcast-notes.txt'));
});

t.test('one at a time; what fails is told, and the next may succeed', async (t) => {
  let isThere = false;
  const { backups, url } = await open(t, {
    everyMs: undefined,
    openBlobs: () =>
      isThere ? openBlobs(url) : Promise.reject(coded('STORE_UNAVAILABLE', 'the disk is not mounted')),
  });
  await t.rejects(backups.list(), { code: 'STORE_UNAVAILABLE' });
  t.match(backups.begin(), { state: 'running', fraction: 0 });
  t.throws(() => backups.begin(), { code: 'CONFLICT' });
  const ended = () =>
    eventually(
      () => backups.list().catch(() => undefined),
      (list) => list !== undefined && list.work?.state !== 'running',
    );
  isThere = true;
  t.match(await ended(), {
    work: { state: 'failed', failure: { code: 'STORE_UNAVAILABLE', detail: /mounted/ } },
  });
  backups.begin();
  const { work, backups: kept } = (await ended()) ?? {};
  t.match(work, { state: 'done', fraction: 1, backup: kept?.[0] });
});

t.test('a process that stops gives up the one that is being made', async (t) => {
  const { backups } = await open(t, { everyMs: undefined });
  backups.begin();
  await backups.stop();
  t.not((await backups.list()).work?.state, 'failed');
});
