import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const inMemory = '/dev/shm';
const bytesMin = 4 * 1024 ** 3;
const prefix = 'ncast-';
const ofRun = /^ncast-(\d+)$/;

/**
 * Makes the folder in which the tests of this run keep their data: in memory where that has room, since starts of a plane spend most of
 * their time waiting for a disk. What runs that were killed have left there goes.
 */
export function makeDataFolder(): string {
  const parent = hasRoom() ? inMemory : tmpdir();
  for (const name of readdirSync(parent)) {
    const pid = ofRun.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const left = join(parent, name);
    if (statSync(left).uid === process.getuid?.()) rmSync(left, { recursive: true, force: true });
  }
  const folder = join(parent, `${prefix}${process.pid}`);
  mkdirSync(folder, { recursive: true });
  // As that of the system: some tests run as another user.
  chmodSync(folder, 0o1777);
  return folder;
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(inMemory);
    return bavail * bsize >= bytesMin;
  } catch {
    return false;
  }
}
