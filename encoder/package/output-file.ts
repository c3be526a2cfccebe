import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { coded, systemCode } from '../../common/runtime/errors.ts';

/**
 * Opens what ffmpeg wrote, for reading. An unprivileged process that strangers' bytes may have taken over owns the
 * directory: a link put in its place is not followed, and a named pipe does not hang the open.
 *
 * @throws ENCODE_FAILED when it is not there or not a regular file.
 */
export async function openOutput(path: string): Promise<{ handle: FileHandle; sizeBytes: number }> {
  const name = basename(path);
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags).catch((cause: unknown) => {
    const detail = `ffmpeg’s output ${name} cannot be opened (${systemCode(cause) ?? 'unknown'})`;
    throw coded('ENCODE_FAILED', { detail, cause });
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw coded('ENCODE_FAILED', `ffmpeg’s output ${name} is not a regular file`);
    return { handle, sizeBytes: stat.size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
