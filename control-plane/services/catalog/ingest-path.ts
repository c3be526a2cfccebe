import { constants } from 'node:fs';
import { open, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { isAbsolute, resolve, sep } from 'node:path';
import { coded, systemCode } from '../../../common/runtime/errors.ts';

/** A source file that is open: what is read is what was checked. */
export interface OpenSource {
  readonly handle: FileHandle;
  readonly sizeBytes: number;
}

/**
 * Opens a source by its path on this machine. It must be a regular file under one of the roots once every symbolic link is
 * followed; the check is made on the open file again, so that a link that is turned in between leads nowhere.
 *
 * @throws PATH_NOT_ALLOWED (also for what is not there outside the roots: nothing is told of it), PATH_UNREADABLE, SOURCE_EMPTY.
 */
export async function openSource(path: string, roots: readonly string[]): Promise<OpenSource> {
  const wanted = resolve(path);
  const realRoots = await realPaths(roots);
  if (
    !isAbsolute(path) ||
    path.includes('\0') ||
    !isUnder(wanted, [...roots.map((root) => resolve(root)), ...realRoots])
  ) {
    throw notAllowed(path, roots);
  }
  const real = await realpath(wanted).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (!isUnder(real, realRoots)) throw notAllowed(path, roots);
  // Non-blocking: a named pipe must not hang the open.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(real, flags).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const opened = await readlink(`/proc/self/fd/${handle.fd}`);
    if (!isUnder(opened, realRoots)) throw notAllowed(path, roots);
    const found = await handle.stat();
    if (!found.isFile()) throw coded('PATH_UNREADABLE', `${path} is not a regular file`);
    if (found.size === 0) throw coded('SOURCE_EMPTY', `${path} has no bytes; choose a video file`);
    return { handle, sizeBytes: found.size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function isUnder(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => path.startsWith(root.endsWith(sep) ? root : root + sep));
}

/** The roots as they really are; one that is not there allows nothing. */
async function realPaths(roots: readonly string[]): Promise<string[]> {
  const found = await Promise.all(roots.map((root) => realpath(root).catch(() => undefined)));
  return found.filter((root) => root !== undefined);
}

function notAllowed(path: string, roots: readonly string[]): Error {
  const where =
    roots.length === 0 ? 'no ingest root is configured' : `allowed are files under ${roots.join(', ')}`;
  return coded('PATH_NOT_ALLOWED', `${path}: ${where}; or upload the file`);
}

function unreadable(path: string, cause: unknown): Error {
  return coded('PATH_UNREADABLE', {
    detail: `${path}: ${systemCode(cause) ?? 'it cannot be opened'}`,
    cause,
  });
}
