import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blobs } from '../../../common/adapters/blobs/port.ts';
import type { BackupView } from '../../../common/contract/backups.ts';
import { coded, systemCode, toCoded } from '../../../common/runtime/errors.ts';
import { archiveFormat, type BackupManifest } from '../../backup/manifest.ts';
import { writeArchive } from '../../backup/write-archive.ts';
import { dataFormatVersion } from '../../data-format.ts';
import { backupName } from './names.ts';
import type { Snapshots } from './ports.ts';

export interface MakeBackupOptions {
  snapshots: Snapshots;
  dataDir: string;
  /** Whose records these are. */
  services: readonly string[];
  blobs: Blobs;
  /** Encrypts the archive. */
  passphrase: string | undefined;
  /** The program that makes it. */
  program: string;
  onProgress: (fraction: number) => void;
  signal: AbortSignal;
}

// Packing takes about as long as copying and hashing.
const copiedShare = 0.5;

/**
 * Makes a backup: copies all records as of one moment, then keys and the operator's token, and stores them as one archive that only its owner may read.
 * Errors: DISK_FULL, STORE_UNAVAILABLE, STORE_DENIED, those of the blobs; nothing is left behind then.
 */
export async function makeBackup(options: MakeBackupOptions): Promise<BackupView> {
  const { snapshots, dataDir, services, blobs, passphrase, onProgress, signal } = options;
  // In the data directory: nobody else may look into it, and what a killed process leaves there is removed here.
  const staging = join(dataDir, 'backup-staging');
  try {
    await rm(staging, { recursive: true, force: true });
    for (const part of ['records', 'keys'])
      await mkdir(join(staging, part), { recursive: true, mode: 0o700 });
    const takenAtMs = await snapshots.snapshot({
      directory: join(staging, 'records'),
      onProgress: (fraction) => {
        onProgress(copiedShare * fraction);
      },
      signal,
    });
    // After the records: every key that they name is there since before.
    await copySecrets(dataDir, staging);
    const manifest = await manifestOf(staging, { takenAtMs, program: options.program });
    const totalBytes = manifest.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    let bytes = 0;
    const archive = writeArchive({
      ...{ manifest, directory: staging, passphrase },
      onBytes: (count) => {
        bytes += count;
        onProgress(copiedShare + (1 - copiedShare) * (bytes / totalBytes));
      },
    });
    const name = backupName(services, takenAtMs, passphrase !== undefined);
    const written = await blobs.write(name, archive, { isPrivate: true, signal });
    const sizeBytes = written.kind === 'written' ? written.sizeBytes : 0;
    return { name, takenAtMs, sizeBytes, sealed: passphrase !== undefined };
  } catch (error) {
    throw toCoded(error);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** None where services run that have no keys. */
async function keysIn(dataDir: string): Promise<string[]> {
  try {
    return await readdir(join(dataDir, 'keys'));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

async function copySecrets(dataDir: string, staging: string): Promise<void> {
  // A key's file is written beside it and renamed; what is being written is none yet.
  const names = (await keysIn(dataDir)).filter((name) => !name.endsWith('.tmp'));
  for (const path of [...names.map((name) => `keys/${name}`), 'operator.token'])
    await copyFile(join(dataDir, path), join(staging, path)).catch((cause: unknown) => {
      // A key that was retired meanwhile, a token that somebody put away.
      if (systemCode(cause) === 'ENOENT') return;
      throw coded('STORE_UNAVAILABLE', { detail: `${path} cannot be read`, cause });
    });
}

async function manifestOf(
  staging: string,
  { takenAtMs, program }: { takenAtMs: number; program: string },
): Promise<BackupManifest> {
  const found = await readdir(staging, { recursive: true, withFileTypes: true });
  const paths = found
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(staging.length + 1));
  const files: BackupManifest['files'] = [];
  for (const path of paths.sort()) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(staging, path)) as AsyncIterable<Buffer>)
      hash.update(chunk);
    const { size: sizeBytes } = await stat(join(staging, path));
    files.push({ path, sizeBytes, sha256: hash.digest('hex') });
  }
  return { format: archiveFormat, program, dataFormat: dataFormatVersion, takenAtMs, files };
}
