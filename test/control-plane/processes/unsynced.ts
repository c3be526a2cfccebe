// Runs grouped records on a data directory whose disk fails at the second sync: a fault of the system call, as the process meets it.
import { open } from 'node:fs/promises';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createLog } from '../../../common/runtime/log.ts';
import { exitWith, runProcess } from '../../../common/runtime/run-process.ts';
import { loop } from '../../../control-plane/background.ts';
import { readConfig } from '../../../control-plane/config.ts';
import { openStores } from '../../../control-plane/stores.ts';

const [dataDir = ''] = process.argv.slice(2);
const handle = await open(import.meta.filename);
const files = Object.getPrototypeOf(handle) as { datasync: () => Promise<void> };
await handle.close();
const { datasync } = files;
let syncs = 0;
files.datasync = function (this: unknown) {
  syncs += 1;
  if (syncs === 1) return datasync.call(this);
  return Promise.reject(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
};

await exitWith(async () => {
  const clock = createSystemClock();
  const log = createLog({ name: 'unsynced', level: 'info', format: 'json' });
  const stores = await openStores({ config: readConfig(['--data-dir', dataDir], {}), clock, log });
  const records = await stores.openGrouped('playback');
  const write = async (signal: AbortSignal): Promise<void> => {
    await records.put('c', 'first', {});
    await records.put('c', 'second', {}).catch(() => undefined);
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
    });
  };
  try {
    const components = [stores.component, loop('writer', write)];
    return await runProcess({ name: 'unsynced', log, clock, components });
  } finally {
    await stores.close();
  }
});
