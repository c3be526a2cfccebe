import { chmod, chown, mkdir, mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { coded, systemCode } from '../common/runtime/errors.ts';

export interface WorkDirectoryOptions {
  /** Where jobs get their directories; made when absent. */
  path: string;
  /** Whom ffmpeg runs as: the owner of the jobs' directories. */
  user: { uid: number; gid: number } | undefined;
  /** Bytes that are free for us where `path` is; the file system's answer when absent. */
  freeBytes?: (path: string) => Promise<number>;
}

/** The disk space of encodes: one directory a job, gone with the job. */
export interface WorkDirectory {
  /** A new empty directory for a job, which only ffmpeg's user and root can enter. */
  create(jobId: string): Promise<string>;
  remove(directory: string): Promise<void>;
  /** Throws DISK_FULL, with the figures, unless so much is free. */
  requireFree(sizeBytes: number, what: string): Promise<void>;
}

/** Left free whatever comes: logs and other processes share the disk. */
const reserveBytes = 16 * 1024 * 1024;

/**
 * Opens the work directory and removes what a killed predecessor has left in it. The data directory that it lies in is
 * locked by this process: nobody else works there.
 *
 * @throws DISK_FULL, STORE_UNAVAILABLE when it cannot be made
 */
export async function openWorkDirectory(options: WorkDirectoryOptions): Promise<WorkDirectory> {
  const { path, user, freeBytes = freeBytesOf } = options;
  await storing(path, mkdir(path, { recursive: true, mode: 0o711 }));
  for (const name of await storing(path, readdir(path))) {
    await storing(path, rm(join(path, name), { recursive: true, force: true }));
  }
  return {
    async create(jobId) {
      const directory = await storing(path, mkdtemp(join(path, `${jobId.replaceAll(/[^\w-]/g, '')}-`)));
      await storing(path, chmod(directory, 0o700));
      if (user !== undefined) await storing(path, chown(directory, user.uid, user.gid));
      return directory;
    },
    async remove(directory) {
      await storing(path, rm(directory, { recursive: true, force: true }));
    },
    async requireFree(sizeBytes, what) {
      const free = await freeBytes(path);
      if (free >= sizeBytes + reserveBytes) return;
      throw coded(
        'DISK_FULL',
        `${what} needs ${mebi(sizeBytes)} in the encoder’s work directory, free are ${mebi(free)}`,
      );
    },
  };
}

function mebi(sizeBytes: number): string {
  return `${Math.ceil(sizeBytes / 1024 ** 2)} MiB`;
}

async function freeBytesOf(path: string): Promise<number> {
  const { bavail, bsize } = await storing(path, statfs(path));
  return bavail * bsize;
}

async function storing<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw unavailable(path, cause);
  }
}

function unavailable(path: string, cause: unknown): Error {
  const code = systemCode(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') return coded('DISK_FULL', { detail: `writing ${path}`, cause });
  return coded('STORE_UNAVAILABLE', { detail: `${path} (${code ?? 'unknown'})`, cause });
}
