import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent } from '../shared/store-error.ts';
import type { BlobEntry } from './port.ts';

/** Which keys to list: those that begin with `prefix` and come after `after`, at most `limit`. */
export interface KeyRange {
  prefix: string;
  after: string;
  limit: number;
}

/** The blobs of a directory tree in the order of their keys' bytes, as S3 lists them. */
export async function listDirectory(root: string, range: KeyRange): Promise<BlobEntry[]> {
  const entries: BlobEntry[] = [];
  const start = range.prefix.slice(0, range.prefix.lastIndexOf('/') + 1);
  for await (const key of walk(root, start, range)) {
    const found = await lstat(join(root, key)).catch((error: unknown) => {
      if (!isAbsent(error)) throw error;
      return undefined;
    });
    // Removed since its folder was read.
    if (found === undefined) continue;
    entries.push({ key, sizeBytes: found.size, modifiedMs: Math.trunc(found.mtimeMs) });
    if (entries.length === range.limit) break;
  }
  return entries;
}

/** The keys under a folder ('' or ending in `/`) that lie in the range, in order. */
async function* walk(root: string, folder: string, range: KeyRange): AsyncGenerator<string, void, undefined> {
  const names = (await readFolder(join(root, folder)))
    .filter((entry) => (entry.isFile() || entry.isDirectory()) && !entry.name.startsWith('.'))
    // A folder takes part in the order with its `/`, for so do the keys in it: `a.b` comes before `a/b`.
    .map((entry) => folder + entry.name + (entry.isDirectory() ? '/' : ''))
    .sort((left, right) => (left < right ? -1 : 1));
  for (const name of names) {
    if (!name.endsWith('/')) {
      if (name > range.after && name.startsWith(range.prefix)) yield name;
      continue;
    }
    const inPrefix = name.startsWith(range.prefix) || range.prefix.startsWith(name);
    const passed = name < range.after && !range.after.startsWith(name);
    if (inPrefix && !passed) yield* walk(root, name, range);
  }
}

async function readFolder(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
