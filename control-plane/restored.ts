import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TimeMs } from '../common/contract/primitives.ts';
import { Type } from '../common/contract/type.ts';
import { syncDirectory } from '../common/runtime/durable.ts';
import { systemCode } from '../common/runtime/errors.ts';
import { parseJsonAs } from '../common/runtime/parse.ts';
import { readPrivateFile, writePrivateFile } from '../common/runtime/private-file.ts';

const Restored = Type.Object({ takenAtMs: TimeMs });
const pathIn = (dataDir: string): string => join(dataDir, 'restored.json');

/** Notes in a data directory that it is one of a backup, for the next start to act on. */
export async function markRestored(dataDir: string, takenAtMs: number): Promise<void> {
  await writePrivateFile(pathIn(dataDir), JSON.stringify({ takenAtMs }));
}

/** When the backup was taken that the data was restored from; undefined where nothing was restored since the last start. */
export async function restoredFromMs(dataDir: string): Promise<number | undefined> {
  const path = pathIn(dataDir);
  const text = await readPrivateFile(path);
  return text === undefined
    ? undefined
    : parseJsonAs(Restored, text, { what: path, code: 'STORE_CORRUPT' }).takenAtMs;
}

/** Forgets it: everything that a restore asks of a start is done. */
export async function forgetRestored(dataDir: string): Promise<void> {
  try {
    await unlink(pathIn(dataDir));
    await syncDirectory(dataDir);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
