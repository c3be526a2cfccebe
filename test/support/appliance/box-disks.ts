import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { startDiskChild } from '../../../appliance/disk/disk-child.ts';
import { readConfig } from '../../../appliance/config.ts';
import type { DiskSet } from '../../../appliance/store/disk-set.ts';
import { loadAddon } from '../../../appliance/engine/native-loader.ts';
import { openDiskStorage } from '../../../appliance/storage.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';

const run = promisify(execFile);

/** Opens the disks of a box the way its main does, and watches them. */
export async function openBoxDisks(
  t: { teardown(done: () => Promise<void>): void },
  options: { dataDir: string; disks?: readonly string[]; box?: string; more?: readonly string[] },
) {
  const { dataDir, disks = [], box = 'box', more = [] } = options;
  const argv = [
    '--control-url',
    'http://127.0.0.1:1',
    '--data-dir',
    dataDir,
    '--reserve-bytes',
    '0',
    '--log-level',
    'silent',
    ...more,
  ];
  const config = readConfig([...argv, ...disks.flatMap((path) => ['--disks', path])], {});
  const common = { clock: createSystemClock(), chance: createSystemChance(), log: createSilentLog() };
  const addon = config.engine === 'native' ? loadAddon(common.log) : undefined;
  const startDisk = () => startDiskChild(addon);
  const storage = await openDiskStorage({ config, box, startDisk, ...common });
  const end = new AbortController();
  storage.start(end.signal);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    end.abort();
    return (closed ??= storage.close());
  };
  t.teardown(close);
  return { storage, set: storage.store as DiskSet, close };
}

/** Mounts one directory at another; false where this user may not. */
export async function bindMount(
  t: { teardown(done: () => Promise<void>): void },
  { from, at }: { from: string; at: string },
): Promise<boolean> {
  try {
    await run('mount', ['--bind', from, at]);
  } catch {
    return false;
  }
  t.teardown(() => unmountNow(at).catch(() => undefined));
  return true;
}

/** Takes a mount away under whoever uses it. */
export async function unmountNow(path: string): Promise<void> {
  await run('umount', ['-l', path]);
}
