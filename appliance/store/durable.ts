import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { syncDirectory } from '../../common/runtime/durable.ts';
import { isAbsent, storeFailure } from './failure.ts';

/** Writes a whole file so that it is either the old or the new one, whatever happens: temp, fsync, rename, fsync. */
export async function replaceFile(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o640);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw storeFailure(error, `writing ${path}`);
  }
}

/** A whole file of ours, or undefined when there is none. */
export async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw storeFailure(error, `reading ${path}`);
  }
}
