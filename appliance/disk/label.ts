import { open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { NodeId } from '../../common/contract/primitives.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { coded } from '../../common/runtime/errors.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import { readIfPresent, replaceFile } from '../store/durable.ts';
import { isAbsent, storeFailure } from '../store/failure.ts';

/** What a disk says of itself. */
export const DiskLabel = Type.Object({
  id: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  /** The appliance that it belongs to. */
  box: NodeId,
});
export type DiskLabel = Static<typeof DiskLabel>;

const labelFile = 'disk.json';
const probeFile = 'probe';
const probeBytes = Buffer.alloc(4096, 'nearcast');

/** The label of the disk at a path; undefined where there is none. Errors: STORE_CORRUPT, DISK_FAILED, STORE_UNAVAILABLE. */
export async function readLabel(path: string): Promise<DiskLabel | undefined> {
  const file = join(path, labelFile);
  const text = await readIfPresent(file);
  if (text === undefined) return undefined;
  return parseJsonAs(DiskLabel, text.toString('utf8'), { what: file, code: 'STORE_CORRUPT' });
}

/** Labels the disk at a path for good. */
export async function writeLabel(path: string, label: DiskLabel): Promise<void> {
  await replaceFile(join(path, labelFile), `${JSON.stringify(label)}\n`);
}

/** A label that no disk has yet. */
export function newLabel(box: string, chance: Chance): DiskLabel {
  return { id: chance.bytes(8).toString('hex'), box };
}

/** What tells directories apart, whatever way leads to them, on which device it is, and whether something is mounted at the path. */
export async function lookAt(
  path: string,
): Promise<{ directory: string; device: string; isMounted: boolean }> {
  try {
    const [here, above] = await Promise.all([stat(path), stat(dirname(path))]);
    if (!here.isDirectory()) throw coded('CONFIG_INVALID', `${path} is not a directory`);
    const device = String(here.dev);
    return { directory: `${device}:${here.ino}`, device, isMounted: here.dev !== above.dev };
  } catch (error) {
    if (isAbsent(error))
      throw coded('DISK_GONE', `${path} is not there; mount the disk, or take it out of disks`);
    throw storeFailure(error, `looking at ${path}`);
  }
}

/**
 * Asks a disk for what it is there for: its label is read, and something is written down to the platter.
 *
 * @throws DISK_GONE where the label is not the disk's, DISK_FAILED, DISK_READ_ONLY, STORE_UNAVAILABLE. A full disk is well.
 */
export async function probeDisk(path: string, id: string): Promise<void> {
  const label = await readLabel(path);
  if (label?.id !== id) throw coded('DISK_GONE', `${path} has lost its label; is it mounted?`);
  try {
    const handle = await open(join(path, probeFile), 'w', 0o640);
    try {
      await handle.write(probeBytes);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    const failure = storeFailure(error, `writing to ${path}`);
    if (failure.code !== 'DISK_FULL') throw failure;
  }
}
