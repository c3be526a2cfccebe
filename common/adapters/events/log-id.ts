import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { coded, systemCode } from '../../runtime/errors.ts';
import { writePrivateFile } from '../../runtime/private-file.ts';

/** The file beside a log's events that says which log it is: 32 hex digits. */
const fileName = 'log-id';
const idPattern = /^[0-9a-f]{32}$/;

/**
 * Which log a directory holds. A log that begins (`isNew`), or whose id was removed, is given another one, which is on the disk before its
 * first event. Errors: STORE_CORRUPT for a file that holds no id.
 */
export async function openLogId(directory: string, { isNew }: { isNew: boolean }): Promise<string> {
  const path = join(directory, fileName);
  const kept = isNew ? undefined : await readId(path);
  if (kept !== undefined) return kept;
  const id = randomUUID().replaceAll('-', '');
  await writePrivateFile(path, `${id}\n`);
  return id;
}

async function readId(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const id = text.trim();
  if (!idPattern.test(id))
    throw coded(
      'STORE_CORRUPT',
      `${path} holds no id of a log; remove it, and the log is read from its beginning: what counts already is passed over`,
    );
  return id;
}
