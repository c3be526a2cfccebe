import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const unmountAttemptsMax = 40;

/** A file system of its own that can be made to hang: whoever writes to it then is in D state, and SIGKILL does not end it. */
export interface FrozenDisk {
  readonly path: string;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
}

/** Mounts an ext4 of this size from a file; a sentence that says why not where this user may not (it takes root on Linux, and loop devices). */
export async function mountFreezable(
  t: { teardown(done: () => Promise<void>): void },
  sizeBytes: number,
): Promise<FrozenDisk | string> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'a disk that hangs takes root on Linux to make';
  const path = await mkdtemp(join(tmpdir(), 'nearcast-frozen-'));
  const image = `${path}.img`;
  const remove = async (): Promise<void> => {
    await rm(path, { recursive: true, force: true });
    await rm(image, { force: true });
  };
  try {
    await writeFile(image, '');
    await truncate(image, sizeBytes);
    await run('mkfs.ext4', ['-q', '-m', '0', image]);
    await run('mount', ['-o', 'loop', image, path]);
    await rm(join(path, 'lost+found'), { recursive: true });
  } catch (error) {
    await remove();
    return `a disk that hangs cannot be made here: ${error instanceof Error ? error.message.trim() : 'mount failed'}`;
  }
  let isFrozen = false;
  const thaw = async (): Promise<void> => {
    if (isFrozen) await run('fsfreeze', ['--unfreeze', path]);
    isFrozen = false;
  };
  t.teardown(async () => {
    await thaw();
    await unmount(path);
    await remove();
  });
  return {
    path,
    async freeze() {
      await run('fsfreeze', ['--freeze', path]);
      isFrozen = true;
    },
    thaw,
  };
}

/** Whoever was killed while it hung lets go of it a moment after it has thawed. */
async function unmount(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await run('umount', [path]);
      return;
    } catch (error) {
      if (attempt === unmountAttemptsMax) throw error;
      await sleep(50);
    }
  }
}

/** Whether a child of a process has a thread in D state. */
export async function hasHungChild(pid: number): Promise<boolean> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const [, parent] = await statOf(`/proc/${name}`);
    if (parent !== String(pid)) continue;
    const threads = await readdir(`/proc/${name}/task`).catch(() => []);
    for (const thread of threads) {
      const [state] = await statOf(`/proc/${name}/task/${thread}`);
      if (state === 'D') return true;
    }
  }
  return false;
}

/** State and parent, as proc(5) has them behind the name. */
async function statOf(path: string): Promise<string[]> {
  const stat = await readFile(join(path, 'stat'), 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
