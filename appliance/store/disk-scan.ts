import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import {
  describedSizeBytes,
  descriptorHeadLengthBytes,
  descriptorLengthBytes,
} from '../../common/core/chunk-tree.ts';
import { removeHeld } from './chunk-check.ts';
import type { DiskLayout } from './disk-layout.ts';
import { storeFailure } from './failure.ts';
import type { HeldInfo } from './file-store.ts';

/** What a disk holds, as its files say. */
export interface DiskContents {
  readonly held: Map<string, HeldInfo>;
  /** Downloads that can be resumed. */
  readonly partial: Set<string>;
  /** How many leftovers of an interrupted write were removed. */
  readonly leftovers: number;
}

const namePattern = /^[0-9a-f]{64}$/;
const foldersAtOnce = 16;

/**
 * Rebuilds the holdings from the files: a file is held when its content and its chunk list are both there and as long as
 * the chunk list says, since the content is renamed into place last. All else is what an interrupted write left, or
 * what somebody cut, and is removed.
 */
export async function scanDisk(layout: DiskLayout, disk: number): Promise<DiskContents> {
  try {
    const held = new Map<string, HeldInfo>();
    const held256 = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'));
    await Promise.all([layout.filesPath, layout.partialPath].map((path) => mkdir(path, { recursive: true })));
    await Promise.all(held256.map((name) => mkdir(join(layout.filesPath, name), { recursive: true })));
    let leftovers = 0;
    const folders = held256.values();
    const walk = async (): Promise<void> => {
      for (const name of folders) leftovers += await scanFolder(layout, { name, held, disk });
    };
    await Promise.all(Array.from({ length: foldersAtOnce }, walk));
    const partials = await scanPartials(layout);
    // A file that was found bad and was being sent back to the downloads.
    for (const file of partials.found) if (held.delete(file)) await removeHeld(layout, file);
    return { held, partial: partials.found, leftovers: leftovers + partials.leftovers };
  } catch (error) {
    throw storeFailure(error, `scanning ${layout.filesPath}`);
  }
}

async function scanFolder(
  layout: DiskLayout,
  { name, held, disk }: { name: string; held: Map<string, HeldInfo>; disk: number },
): Promise<number> {
  const folder = join(layout.filesPath, name);
  const entries = new Set(await readdir(folder));
  let leftovers = 0;
  for (const entry of entries) {
    const file = entry.endsWith('.chunks') ? entry.slice(0, -'.chunks'.length) : entry;
    const isOurs = namePattern.test(file) && file.startsWith(name);
    if (isOurs && entries.has(file) && entries.has(`${file}.chunks`)) {
      if (entry !== file) continue;
      const [content, described] = await Promise.all([
        stat(layout.content(file)),
        readDescribedSize(layout.descriptor(file)),
      ]);
      if (content.size === described) {
        held.set(file, { sizeBytes: content.size, disk });
        continue;
      }
      await rm(layout.descriptor(file), { force: true });
    }
    if (await removeLeftover(join(folder, entry))) leftovers++;
  }
  return leftovers;
}

/** The size in bytes that a chunk list states; undefined for one that is none or is not whole. */
async function readDescribedSize(path: string): Promise<number | undefined> {
  const handle = await open(path, 'r');
  try {
    const head = Buffer.alloc(descriptorHeadLengthBytes);
    const [{ bytesRead }, { size }] = await Promise.all([
      handle.read(head, 0, head.length, 0),
      handle.stat(),
    ]);
    const sizeBytes = describedSizeBytes(head.subarray(0, bytesRead));
    return sizeBytes !== undefined && size === descriptorLengthBytes(sizeBytes) ? sizeBytes : undefined;
  } finally {
    await handle.close();
  }
}

async function scanPartials(layout: DiskLayout): Promise<{ found: Set<string>; leftovers: number }> {
  const entries = new Set(await readdir(layout.partialPath));
  const found = new Set<string>();
  let leftovers = 0;
  for (const entry of entries) {
    const file = entry.replace(/\.(?:chunks|map)$/, '');
    const whole = [file, `${file}.chunks`, `${file}.map`].every((name) => entries.has(name));
    if (namePattern.test(file) && whole) found.add(file);
    else if (await removeLeftover(join(layout.partialPath, entry))) leftovers++;
  }
  return { found, leftovers };
}

// Only files: a folder in here is somebody's `lost+found`, not ours.
async function removeLeftover(path: string): Promise<boolean> {
  const info = await stat(path);
  if (!info.isFile()) return false;
  await rm(path, { force: true });
  return true;
}
