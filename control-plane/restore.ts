import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openBlobs } from '../common/adapters/blobs/open.ts';
import { openAuditLog } from '../common/adapters/audit-log/open.ts';
import { openRecords } from '../common/adapters/records/open.ts';
import { openViewing } from '../common/adapters/viewing/open.ts';
import { openDataDir, type DataDir } from '../common/runtime/data-dir.ts';
import { syncDirectory } from '../common/runtime/durable.ts';
import { coded, systemCode } from '../common/runtime/errors.ts';
import { readPassphrase } from './backup/passphrase.ts';
import { readArchive } from './backup/read-archive.ts';
import type { BackupManifest } from './backup/manifest.ts';
import { dataFormatVersion, dataKind, storeKindOf } from './data-format.ts';
import { markRestored } from './restored.ts';

// Whoever opens one hears of a failed sync by what it asks for, and when it closes it.
const onLost = (): void => undefined;
const openers = {
  'audit-log': (url: string) => openAuditLog(url, { onLost }),
  viewing: (url: string) => openViewing(url, { onLost }),
  records: openRecords,
};

/** A backup to be read. */
export interface ArchiveRequest {
  /** A path, or the URL of a blob: `s3://bucket/prefix/name?endpoint=…`. */
  readonly archive: string;
  /** A private file with the passphrase of a sealed one. */
  readonly passphraseFile?: string | undefined;
  readonly signal: AbortSignal;
  /** How much of the archive was read, from 0 to 1, and what is being done. */
  readonly onProgress: (fraction: number, what: string) => void;
}

export interface RestoreRequest extends ArchiveRequest {
  /** Where a control plane is to find the data. */
  readonly dataDir: string;
  /** Puts data that is there aside. */
  readonly force: boolean;
}

/** What a backup is of. */
export interface ArchiveReport {
  readonly takenAtMs: number;
  readonly program: string;
  readonly files: number;
  readonly sizeBytes: number;
}

export interface RestoreReport extends ArchiveReport {
  readonly dataDir: string;
  /** Where the data went that was there before. */
  readonly keptAside?: string;
}

/** Reads a whole backup and checks every file of it. Errors: those of readArchive, PATH_UNREADABLE, those of the blobs. */
export async function verifyBackup(request: ArchiveRequest): Promise<ArchiveReport> {
  return reportOf(
    await readFrom(request, async (_path, bytes) => {
      for await (const _chunk of bytes);
    }),
  );
}

/**
 * Makes a data directory of a backup: whole or not at all. The records are the backup's; the control plane that starts on them lifts sequences and
 * ends sign-ins. Errors: those of readArchive; STORE_LOCKED while a control plane runs there, CONFLICT where there is data and not `force`,
 * PATH_UNREADABLE, DISK_FULL, STORE_UNAVAILABLE, STORE_DENIED.
 */
export async function restoreBackup(request: RestoreRequest): Promise<RestoreReport> {
  const dataDir = resolve(request.dataDir);
  const before = await lockTarget(dataDir, request.force);
  try {
    const staging = `${dataDir}.restoring`;
    await rm(staging, { recursive: true, force: true });
    try {
      const manifest = await extract(request, staging);
      const keptAside = before.isEmpty ? undefined : asideOf(dataDir);
      await swap({ dataDir, staging, keptAside });
      const report = { ...reportOf(manifest), dataDir };
      return keptAside === undefined ? report : { ...report, keptAside };
    } catch (error) {
      if (before.isEmpty) await rm(join(dataDir, 'format.json'), { force: true });
      throw error;
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  } finally {
    await before.lock.close();
  }
}

interface Target {
  readonly lock: DataDir;
  readonly isEmpty: boolean;
}

/** Makes sure that nobody uses the directory, and that what is in it may be put aside. */
async function lockTarget(dataDir: string, force: boolean): Promise<Target> {
  const names = await readdir(dataDir).catch((error: unknown): string[] => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  const isEmpty = names.length === 0;
  if (!isEmpty && !names.includes('format.json'))
    throw coded('CONFLICT', `${dataDir} holds something that is no control plane's; name another directory`);
  const lock = await openDataDir({ path: dataDir, kind: dataKind, formatVersion: dataFormatVersion });
  if (isEmpty || force) return { lock, isEmpty };
  await lock.close();
  throw coded('CONFLICT', `${dataDir} has data; --force puts it aside, beside the restored one`);
}

/** The name for the old data: nothing stands there yet, since it tells the millisecond. */
function asideOf(dataDir: string): string {
  return `${dataDir}.before-restore-${new Date().toISOString().replaceAll(/[-:.]/g, '')}`;
}

/** Unpacks and checks an archive into a data directory of its own, on the disk when this resolves. */
async function extract(request: RestoreRequest, staging: string): Promise<BackupManifest> {
  // With a lock that goes along when the directory is renamed, so that no control plane gets in between.
  await openDataDir({ path: staging, kind: dataKind, formatVersion: dataFormatVersion });
  for (const part of ['records', 'keys']) await mkdir(join(staging, part), { mode: 0o700 });
  const manifest = await readFrom(request, (path, bytes) => writePrivately(join(staging, path), bytes));
  for (const { path } of manifest.files) {
    if (!path.startsWith('records/')) continue;
    // STORE_NEWER and STORE_CORRUPT now, and not when the old data is put aside already.
    const open = openers[storeKindOf(basename(path, '.db'))];
    const store = await open(pathToFileURL(join(staging, path)).href.replace(/^file:/, 'sqlite:'));
    await store.close();
  }
  await markRestored(staging, manifest.takenAtMs);
  for (const directory of ['records', 'keys', '.']) await syncDirectory(join(staging, directory));
  return manifest;
}

async function writePrivately(path: string, bytes: AsyncIterable<Buffer>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of bytes) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Puts the new directory in the old one's place. Between the two renames neither is there under that name: both are, under theirs. */
async function swap({
  dataDir,
  staging,
  keptAside,
}: {
  dataDir: string;
  staging: string;
  keptAside: string | undefined;
}): Promise<void> {
  try {
    if (keptAside === undefined) await rm(dataDir, { recursive: true });
    else await rename(dataDir, keptAside);
    await rename(staging, dataDir);
    await rm(join(dataDir, 'lock'));
    if (keptAside !== undefined) await rm(join(keptAside, 'lock'), { force: true });
    await syncDirectory(dirname(dataDir));
  } catch (cause) {
    const code = systemCode(cause) ?? '';
    const mount =
      code === 'EBUSY' || code === 'EXDEV' ? '; restore into a directory below the mount point' : '';
    throw coded('STORE_UNAVAILABLE', { detail: `${dataDir} cannot be replaced (${code})${mount}`, cause });
  }
}

async function readFrom(
  { archive, passphraseFile, signal, onProgress }: ArchiveRequest,
  take: (path: string, bytes: AsyncIterable<Buffer>) => Promise<void>,
): Promise<BackupManifest> {
  const passphrase = await readPassphrase(passphraseFile);
  const { source, sizeBytes } = await openArchive(archive);
  async function* counted(): AsyncGenerator<Uint8Array> {
    let read = 0;
    for await (const chunk of source) {
      signal.throwIfAborted();
      read += chunk.length;
      onProgress(read / sizeBytes, 'reading and checking');
      yield chunk;
    }
  }
  return readArchive(counted(), { passphrase, take });
}

interface OpenArchive {
  readonly source: AsyncIterable<Uint8Array>;
  readonly sizeBytes: number;
}

async function openArchive(archive: string): Promise<OpenArchive> {
  const url = /^[a-z][a-z0-9]+:\/\//.test(archive) ? URL.parse(archive) : null;
  if (url === null) {
    const stats = await stat(archive).catch((cause: unknown) => {
      throw coded('PATH_UNREADABLE', { detail: `${archive} (${systemCode(cause) ?? ''})`, cause });
    });
    return { source: createReadStream(archive), sizeBytes: stats.size };
  }
  const key = basename(url.pathname);
  url.pathname = dirname(url.pathname);
  const blobs = await openBlobs(url.href);
  const known = await blobs.stat(key);
  const source = await blobs.read(key);
  if (known === undefined || source === undefined) throw coded('PATH_UNREADABLE', `there is no ${archive}`);
  return { source, sizeBytes: known.sizeBytes };
}

function reportOf({ takenAtMs, program, files }: BackupManifest): ArchiveReport {
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { takenAtMs, program, files: files.length, sizeBytes };
}
