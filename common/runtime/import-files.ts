import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FolderCaptions, isCaptionFolder, type FoundCaptions } from '../core/imports/folder-captions.ts';
import { folderEntries, isVideo, withoutEnding } from '../core/imports/folder-entries.ts';
import { brokenLine, joinLines, orderLines, type ImportLine } from '../core/imports/lines.ts';
import { readCsv } from '../core/imports/read-csv.ts';
import { readJson } from '../core/imports/read-json.ts';
import { readNfo, type Nfo } from '../core/imports/read-nfo.ts';
import { refused, type Result } from '../core/result.ts';
import { coded, systemCode, toCoded, type CodedError } from './errors.ts';

const listBytesMax = 64 * 1024 * 1024;
const nfoBytesMax = 1024 * 1024;
const filesMax = 200_000;
const depthMax = 16;
/** So many lines are read before others have their turn. */
const linesAtOnce = 200;

/** A file in a folder, by its path from there on. */
export interface FolderFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/** What lies in a folder: its files, and the folders in it that cannot be read. */
export interface Listing {
  readonly files: readonly FolderFile[];
  readonly unreadable: readonly ImportLine[];
}

/**
 * The titles that a CSV or JSON file lists or that lie in a folder, in the order in which they are imported; paths of videos in it are
 * made absolute from its folder. `label` is what the folder is known by, see `readFolder`; `was`: the label that it had before. Errors: PATH_UNREADABLE; IMPORT_TOO_LARGE.
 */
export async function readImport(
  path: string,
  { label, was }: { label?: string; was?: string } = {},
): Promise<ImportLine[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (found.isDirectory()) return readFolder(path, { ...(await listFolder(path)), label, was });
  return withPictureMarks(await collect(orderLines(await readList(resolve(path), basename(path)))));
}

/**
 * The captions that lie beside a video, by their names; their paths are those of its folder. Errors: PATH_UNREADABLE where the folder cannot
 * be listed.
 */
export async function captionsBeside(path: string): Promise<FoundCaptions[]> {
  const folder = dirname(path);
  const names = async (below: string): Promise<string[]> => {
    const entries = await readdir(join(folder, below), { withFileTypes: true }).catch((error: unknown) => {
      throw unreadable(join(folder, below), error);
    });
    const folders =
      below === '' ? entries.filter((one) => one.isDirectory() && isCaptionFolder(one.name)) : [];
    const files = entries.filter((one) => !one.isDirectory()).map(({ name }) => join(below, name));
    return [...files, ...(await Promise.all(folders.map(({ name }) => names(name)))).flat()];
  };
  const paths = await names('');
  const videos = [...paths.filter(isVideo), basename(path)].map(withoutEnding);
  const captions = new FolderCaptions(paths, videos).of(withoutEnding(basename(path)));
  return captions.map((one) => ({ ...one, path: join(folder, one.path) }));
}

/** Whether a file tells of the videos beside and below it. */
export function isNfo(path: string): boolean {
  return path.toLowerCase().endsWith('.nfo');
}

/** What tells a file from another of the same path. */
export function markOf({ sizeBytes, mtimeMs }: FolderFile): string {
  return `${sizeBytes} ${mtimeMs}`;
}

/**
 * The files below a folder, but for hidden ones; links are not followed. Folders in it that cannot be read are told of. Errors:
 * PATH_UNREADABLE where the folder itself cannot be; IMPORT_TOO_LARGE where there are more than 200,000 files.
 */
export async function listFolder(root: string): Promise<Listing> {
  const files: FolderFile[] = [];
  const broken: ImportLine[] = [];
  const visit = async (folder: string, depth: number): Promise<void> => {
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
      const { code, detail = '' } = unreadable(join(root, folder), error);
      if (folder === '') throw unreadable(root, error);
      broken.push(brokenLine({ file: folder, line: 1 }, detail, code));
      return [];
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
  return { files, unreadable: broken };
}

/**
 * The titles of a folder that holds this: videos with what NFO files tell of them, and what CSV and JSON files list that lie in the
 * folder itself. A video's id is its path behind the folder's label, so that folders of like layout keep apart: the label that is given,
 * which lets the folder move on, else a hash of its real path; what was imported without a label, or of old by its path alone, is known
 * by that too. What cannot be read is told of. Errors: PATH_UNREADABLE (the folder).
 */
export async function readFolder(
  root: string,
  {
    files,
    unreadable: broken,
    label,
    was,
  }: Listing & { label?: string | undefined; was?: string | undefined },
): Promise<ImportLine[]> {
  const nfos = new Map<string, Result<Nfo>>();
  for (const { path, sizeBytes } of files)
    if (isNfo(path))
      nfos.set(path, sizeBytes <= nfoBytesMax ? await readNfoFile(join(root, path)) : tooLarge(path));
  const lists: ImportLine[] = [];
  for (const { path } of files)
    if (isList(path)) lists.push(...(await readList(resolve(root, path), path).catch(toLine(path))));
  const paths = files.map(({ path }) => path);
  const marks = new Map(files.map((file) => [file.path, markOf(file)]));
  const placed = await labelOf(root);
  const labels =
    label === undefined ? { label: placed, formerLabels: [''] } : { label, formerLabels: [placed, ''] };
  if (was !== undefined) labels.formerLabels.unshift(was);
  const entries = folderEntries(paths, { nfos, ...labels });
  const videos = await collect(withPaths(entries, resolve(root)));
  const joined = await collect(withMarks(joinLines(lists, videos), { marks, root: resolve(root) }));
  return withPictureMarks(await collect(orderLines([...broken, ...joined])));
}

async function labelOf(root: string): Promise<string> {
  const real = await realpath(root).catch((error: unknown) => {
    throw unreadable(root, error);
  });
  return shortHash(real);
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 12);
}

/** Whether a file of a folder may be a list of titles. */
export function isList(path: string): boolean {
  return !path.includes('/') && /\.(?:csv|json|jsonl)$/i.test(path);
}

function tooLarge(path: string): Result<never> {
  return refused('IMPORT_TOO_LARGE', `${path} has more than ${nfoBytesMax} bytes`);
}

async function readNfoFile(path: string): Promise<Result<Nfo>> {
  try {
    return readNfo(await readText(path));
  } catch (error) {
    const { code, detail, title } = toCoded(error);
    return refused(code, detail ?? title);
  }
}

/** A list that cannot be read holds nothing else up. */
function toLine(file: string): (error: unknown) => ImportLine[] {
  return (error) => {
    const { code, detail, title } = toCoded(error);
    return [brokenLine({ file, line: 1 }, detail ?? title, code)];
  };
}

async function readList(path: string, file: string): Promise<ImportLine[]> {
  const { size } = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (size > listBytesMax) throw coded('IMPORT_TOO_LARGE', `${path} has more than ${listBytesMax} bytes`);
  const text = await readText(path);
  const read = /\.csv$/i.test(path) ? readCsv : readJson;
  return collect(withPaths(read(text, file), dirname(path)));
}

/** All lines, with turns for others in between: there may be hundreds of thousands. */
async function collect(lines: Iterable<ImportLine>): Promise<ImportLine[]> {
  const all: ImportLine[] = [];
  for (const line of lines) {
    all.push(line);
    if (all.length % linesAtOnce === 0) await nextTurn();
  }
  return all;
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

function* withPaths(lines: Iterable<ImportLine>, folder: string): Generator<ImportLine> {
  for (const line of lines) {
    const path = pathOf(line);
    if (path?.includes('\0') === true) yield brokenLine(line, 'its path has characters that no path has');
    else {
      const absolute = (one: FileOfTitle): FileOfTitle => ({ ...one, path: resolve(folder, one.path) });
      const artwork = filesOf(line, 'artwork')?.map(absolute);
      const captions = filesOf(line, 'captions')?.map(absolute);
      yield withFields(line, {
        ...(path !== undefined && { path: resolve(folder, path) }),
        ...(artwork !== undefined && { artwork }),
        ...(captions !== undefined && { captions }),
      });
    }
  }
}

function* withMarks(
  lines: Iterable<ImportLine>,
  { marks, root }: { marks: ReadonlyMap<string, string>; root: string },
): Generator<ImportLine> {
  const above = root.endsWith(sep) ? root : root + sep;
  for (const line of lines) {
    const markOfPath = (path: string): string | undefined =>
      path.startsWith(above) ? marks.get(path.slice(above.length)) : undefined;
    const video = markOfPath(pathOf(line) ?? '');
    const captions = filesOf(line, 'captions') ?? [];
    // Of a video without captions it stays what it has always been.
    const beside = captions.map((one) => JSON.stringify({ ...one, mark: markOfPath(one.path) })).join();
    yield video === undefined
      ? line
      : withFields(line, { videoMark: beside === '' ? video : `${video} ${shortHash(beside)}` });
  }
}

function pathOf({ read }: ImportLine): string | undefined {
  if (!('entry' in read) || !('path' in read.entry)) return undefined;
  const { path } = read.entry;
  return typeof path === 'string' ? path : undefined;
}

interface FileOfTitle {
  readonly path: string;
}

/** The pictures or captions of an entry; undefined where there are none, or what none are, which is judged with the entry. */
function filesOf({ read }: ImportLine, field: 'artwork' | 'captions'): FileOfTitle[] | undefined {
  const entry: Partial<Record<typeof field, unknown>> = 'entry' in read ? read.entry : {};
  const files: unknown = entry[field];
  return Array.isArray(files) && files.every(isFile) ? files : undefined;
}

function isFile(value: unknown): value is FileOfTitle {
  if (typeof value !== 'object' || value === null || !('path' in value)) return false;
  return typeof value.path === 'string' && !value.path.includes('\0');
}

/** What cannot be looked at has no mark, and is told of when it is taken. */
async function withPictureMarks(lines: readonly ImportLine[]): Promise<ImportLine[]> {
  const marked: ImportLine[] = [];
  for (const line of lines) {
    const pictures = filesOf(line, 'artwork');
    const artwork = await Promise.all((pictures ?? []).map(withPictureMark));
    marked.push(pictures === undefined ? line : withFields(line, { artwork }));
  }
  return marked;
}

async function withPictureMark(picture: FileOfTitle): Promise<FileOfTitle & { mark?: string }> {
  const found = await stat(picture.path).catch(() => undefined);
  return found === undefined
    ? picture
    : { ...picture, mark: markOf({ path: picture.path, sizeBytes: found.size, mtimeMs: found.mtimeMs }) };
}

function withFields(line: ImportLine, fields: object): ImportLine {
  return 'entry' in line.read ? { ...line, read: { entry: { ...line.read.entry, ...fields } } } : line;
}

function unreadable(path: string, cause: unknown): CodedError {
  return coded('PATH_UNREADABLE', { detail: `${path} (${systemCode(cause) ?? 'unknown'})`, cause });
}
