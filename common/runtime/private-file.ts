import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from './durable.ts';
import { coded, systemCode, type CodedError } from './errors.ts';

const FILE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Writes a file that only its owner may read (0600), atomically and durably: temporary file, fsync, rename, fsync of
 * the directory. `replace: false` fails with CONFLICT when the file is already there.
 */
export async function writePrivateFile(
  path: string,
  text: string,
  { replace = true }: { replace?: boolean } = {},
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    // A link, unlike a rename, refuses to replace.
    if (replace) await rename(temporary, path);
    else await link(temporary, path).finally(() => unlink(temporary));
    await syncDirectory(dirname(path));
  } catch (cause) {
    await unlink(temporary).catch(() => undefined);
    throw writeFailed(path, cause);
  }
}

function writeFailed(path: string, cause: unknown): CodedError {
  const code = systemCode(cause);
  if (code === 'EEXIST') return coded('CONFLICT', { detail: `${path} is already there`, cause });
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return coded('DISK_FULL', { detail: `cannot write ${path}`, cause });
  const denied = code === 'EACCES' || code === 'EPERM';
  return coded(denied ? 'STORE_DENIED' : 'STORE_UNAVAILABLE', {
    detail: `cannot write ${path} (${code ?? 'unknown'})`,
    cause,
  });
}

/**
 * Reads a file that must be private; undefined when there is none.
 *
 * @throws CONFIG_INVALID when others may read or write it, with the command that mends it.
 */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    if (systemCode(cause) === 'EACCES') throw coded('STORE_DENIED', { detail: path, cause });
    throw coded('STORE_UNAVAILABLE', { detail: `cannot read ${path}`, cause });
  }
  try {
    const stat = await file.stat();
    if ((stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8);
      throw coded(
        'CONFIG_INVALID',
        `${path} holds a secret but others may read it (mode ${mode}); run: chmod 600 ${path}`,
      );
    }
    if (stat.size > FILE_BYTES_MAX)
      throw coded('STORE_CORRUPT', `${path} is larger than ${FILE_BYTES_MAX} bytes`);
    return await readFile(file, 'utf8');
  } finally {
    await file.close();
  }
}
