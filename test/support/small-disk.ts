import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, rmdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const unmountAttemptsMax = 40;

/** A small file system in memory that can really be full. */
export interface SmallDisk {
  path: string;
  /** Fills the disk up to the last so many bytes. */
  fill: (freeBytes?: number) => Promise<void>;
  unmount: () => Promise<void>;
}

/** Mounts a tmpfs of this size; a sentence that says why not where this user may not mount (it takes root on Linux). */
export async function mountSmallDisk(sizeBytes: number): Promise<SmallDisk | string> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'a full disk takes root on Linux to make';
  const path = await mkdtemp(join(tmpdir(), 'nearcast-disk-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${String(sizeBytes)},mode=0755`, 'tmpfs', path]);
  } catch (error) {
    await rmdir(path);
    return `tmpfs cannot be mounted here: ${error instanceof Error ? error.message.trim() : 'mount failed'}`;
  }
  return {
    path,
    async fill(freeBytes = 0) {
      const { bavail, bsize } = await statfs(path);
      const fillBytes = Math.max(0, bavail * bsize - freeBytes);
      await appendFile(join(path, 'filler'), Buffer.alloc(fillBytes));
    },
    async unmount() {
      // A stream that was let go of closes its file a moment later; until then the disk is busy.
      for (let attempt = 1; ; attempt++) {
        try {
          await run('umount', [path]);
          break;
        } catch (error) {
          if (attempt === unmountAttemptsMax) throw error;
          await sleep(50);
        }
      }
      await rmdir(path);
    },
  };
}
