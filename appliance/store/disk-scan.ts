import { lstat, mkdir, open, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import {
  describedSizeBytes,
  descriptorHeadLengthBytes,
  descriptorLengthBytes,
} from '../../common/core/chunk-tree.ts';
import { syncDirectory } from '../../common/runtime/durable.ts';
import type { DiskLayout } from './disk-layout.ts';
import { isAbsent, storeFailure } from './failure.ts';

const namePattern = /^[0-9a-f]{64}$/;
const foldersAtOnce = 16;
const folders: readonly string[] = Array.from({ length: 256 }, (_, index) =>
  index.toString(16).padStart(2, '0'),
);

/** What was found of one kind on a disk. */
export interface Scanned<T> {
  readonly found: T;
  /** How many leftovers of an interrupted write were removed. */
  readonly leftovers: number;
}

/** Makes the folders of a disk, which everything else here relies on, durable before anything is put into them. */
export async function makeFolders({ filesPath, partialPath }: DiskLayout): Promise<void> {
  const make = (paths: readonly string[]): Promise<(string | undefined)[]> =>
    Promise.all(paths.map((path) => mkdir(path, { recursive: true })));
  try {
    const made = [
      ...(await make([filesPath, partialPath])),
      ...(await make(folders.map((name) => join(filesPath, name)))),
    ];
    if (made.every((path) => path === undefined)) return;
    await syncDirectory(filesPath);
    await syncDirectory(dirname(filesPath));
  } catch (error) {
    throw storeFailure(error, `making ${filesPath}`);
  }
}

/** Walks the folders of a disk, some at a time. */
export async function walkFolders(visit: (folder: string) => Promise<void>, atOnce: number): Promise<void> {
  const left = folders.values();
  const walk = async (): Promise<void> => {
    for (const folder of left) await visit(folder);
  };
  await Promise.all(Array.from({ length: atOnce }, walk));
}

/**
 * Finds what is held from the files alone, file → bytes: one is held when its content and its chunk list are both there and as
 * long as the chunk list says, since the content is renamed into place last. All else is what an interrupted write left, or
 * what somebody cut, and is removed.
 */
export async function scanFiles(layout: DiskLayout): Promise<Scanned<Map<string, number>>> {
  const found = new Map<string, number>();
  let leftovers = 0;
  const visit = async (folder: string): Promise<void> => {
    const { files, others } = await listFolder(layout, folder);
    for (const file of files) {
      const sizeBytes = await wholeSizeBytes(layout, file);
      if (sizeBytes !== undefined) found.set(file, sizeBytes);
      else leftovers += await removeLeftovers([layout.content(file), layout.descriptor(file)]);
    }
    leftovers += await removeLeftovers(others);
  };
  try {
    await walkFolders(visit, foldersAtOnce);
  } catch (error) {
    throw storeFailure(error, `scanning ${layout.filesPath}`);
  }
  return { found, leftovers };
}

/** What lies in one of a disk's folders: the files of which there is something, and the paths of what is no file's. */
export async function listFolder(
  layout: DiskLayout,
  folder: string,
): Promise<{ files: Set<string>; others: string[] }> {
  const files = new Set<string>();
  const others: string[] = [];
  for (const entry of await readdir(join(layout.filesPath, folder))) {
    const file = entry.endsWith('.chunks') ? entry.slice(0, -'.chunks'.length) : entry;
    if (namePattern.test(file) && file.startsWith(folder)) files.add(file);
    else others.push(join(layout.filesPath, folder, entry));
  }
  return { files, others };
}

/** The size in bytes of a file that lies whole on the disk, as its chunk list states it; undefined where it does not. */
export async function wholeSizeBytes(layout: DiskLayout, file: string): Promise<number | undefined> {
  try {
    const [size, listSize] = await sizesOf(layout, file);
    if (listSize === undefined) return undefined;
    const described = await readDescribedSize(layout.descriptor(file));
    return size === described ? size : undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Whether a file of that size seems to lie whole on the disk, by the lengths of content and chunk list alone. */
export async function seemsWhole(layout: DiskLayout, file: string, sizeBytes: number): Promise<boolean> {
  try {
    const [size, listSize] = await sizesOf(layout, file);
    return size === sizeBytes && listSize === descriptorLengthBytes(sizeBytes);
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** The sizes of content and chunk list. Undefined for what is no plain file, though it has a name of one: to open a pipe would wait for ever. */
function sizesOf(layout: DiskLayout, file: string): Promise<(number | undefined)[]> {
  return Promise.all(
    [layout.content(file), layout.descriptor(file)].map(async (path) => {
      const info = await lstat(path);
      return info.isFile() ? info.size : undefined;
    }),
  );
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

/** Finds the downloads that can be resumed, and removes what is left of others. */
export async function scanPartials(layout: DiskLayout): Promise<Scanned<Set<string>>> {
  try {
    const entries = new Set(await readdir(layout.partialPath));
    const found = new Set<string>();
    let leftovers = 0;
    for (const entry of entries) {
      const file = entry.replace(/\.(?:chunks|map)$/, '');
      const whole = [file, `${file}.chunks`, `${file}.map`].every((name) => entries.has(name));
      if (namePattern.test(file) && whole) found.add(file);
      else leftovers += await removeLeftovers([join(layout.partialPath, entry)]);
    }
    return { found, leftovers };
  } catch (error) {
    throw storeFailure(error, `scanning ${layout.partialPath}`);
  }
}

/** Removes files that are nobody's; links and pipes with names of ours are not followed; a folder in here is somebody's `lost+found`, not ours. @returns how many there were. */
export async function removeLeftovers(paths: readonly string[]): Promise<number> {
  let count = 0;
  for (const path of paths) {
    const info = await lstat(path).catch((error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw error;
    });
    if (info === undefined || info.isDirectory()) continue;
    await rm(path, { force: true });
    count++;
  }
  return count;
}
