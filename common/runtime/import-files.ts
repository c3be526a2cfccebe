import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { folderEntries } from '../core/imports/folder-entries.ts';
import { brokenLine, orderLines, type ImportLine } from '../core/imports/lines.ts';
import { readCsv } from '../core/imports/read-csv.ts';
import { readJson } from '../core/imports/read-json.ts';
import { readNfo, type Nfo } from '../core/imports/read-nfo.ts';
import type { Result } from '../core/result.ts';
import { coded, systemCode } from './errors.ts';

const listBytesMax = 64 * 1024 * 1024;
const nfoBytesMax = 1024 * 1024;
const filesMax = 200_000;
const depthMax = 16;

/** A file in a folder, by its path from there on. */
export interface FolderFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/**
 * The titles that a CSV or JSON file lists or that lie in a folder, in the order in which they are imported; paths of videos in it are
 * made absolute from its folder. Errors: PATH_UNREADABLE; IMPORT_TOO_LARGE.
 */
export async function readImport(path: string): Promise<ImportLine[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (found.isDirectory()) return readFolder(path, await listFolder(path));
  return orderLines(await readList(resolve(path), basename(path)));
}

/**
 * The files below a folder, but for hidden ones; links are not followed. Errors: PATH_UNREADABLE; IMPORT_TOO_LARGE where there are more
 * than 200,000.
 */
export async function listFolder(root: string): Promise<FolderFile[]> {
  const files: FolderFile[] = [];
  const visit = async (folder: string, depth: number): Promise<void> => {
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
      throw unreadable(join(root, folder), error);
    });
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && depth < depthMax) await visit(path, depth + 1);
      if (!entry.isFile()) continue;
      const info = await stat(join(root, path)).catch(() => undefined);
      // It has gone meanwhile.
      if (info === undefined) continue;
      if (files.length >= filesMax)
        throw coded('IMPORT_TOO_LARGE', `${root} has more than ${filesMax} files`);
      files.push({ path, sizeBytes: info.size, mtimeMs: info.mtimeMs });
    }
  };
  await visit('', 1);
  return files;
}

/**
 * The titles of a folder of which these are the files: videos with what NFO files tell of them, and what CSV and JSON files list that lie
 * in the folder itself. Errors: PATH_UNREADABLE.
 */
export async function readFolder(root: string, files: readonly FolderFile[]): Promise<ImportLine[]> {
  const nfos = new Map<string, Result<Nfo>>();
  for (const { path, sizeBytes } of files)
    if (path.toLowerCase().endsWith('.nfo') && sizeBytes <= nfoBytesMax)
      nfos.set(path, readNfo(await readText(join(root, path))));
  const lists: ImportLine[] = [];
  for (const { path } of files)
    if (!path.includes('/') && /\.(?:csv|json|jsonl)$/i.test(path))
      lists.push(...(await readList(resolve(root, path), path)));
  const videos = folderEntries(
    files.map(({ path }) => path),
    nfos,
  );
  return orderLines([...lists, ...withPaths(videos, resolve(root))]);
}

async function readList(path: string, file: string): Promise<ImportLine[]> {
  const { size } = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (size > listBytesMax) throw coded('IMPORT_TOO_LARGE', `${path} has more than ${listBytesMax} bytes`);
  const text = await readText(path);
  const read = /\.csv$/i.test(path) ? readCsv : readJson;
  return withPaths(read(text, file), dirname(path));
}

/** Texts that are not UTF-8 are taken as Windows-1252, which old lists are written in. */
async function readText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

function withPaths(lines: readonly ImportLine[], folder: string): ImportLine[] {
  return lines.map((line) => {
    if (!('entry' in line.read)) return line;
    const { entry } = line.read;
    if (!('path' in entry) || typeof entry.path !== 'string') return line;
    if (entry.path.includes('\0')) return brokenLine(line, 'its path has characters that no path has');
    return { ...line, read: { entry: { ...entry, path: resolve(folder, entry.path) } } };
  });
}

function unreadable(path: string, cause: unknown): Error {
  return coded('PATH_UNREADABLE', { detail: `${path} (${systemCode(cause) ?? 'unknown'})`, cause });
}
