import { readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../../runtime/durable.ts';
import { systemCode } from '../../runtime/errors.ts';
import { writePrivateFile } from '../../runtime/private-file.ts';
import { composeLetter, type MailOptions } from './compose.ts';
import type { Mail } from './port.ts';

/** The newest that are kept. */
const lettersMax = 1000;
const timeDigits = 15;

/**
 * Puts each letter into a directory as a file (`<ms>-<account>-<letter>.eml`, 0600), for whoever looks there. Errors beside the
 * port's: STORE_DENIED, STORE_UNAVAILABLE, DISK_FULL.
 */
export function openFileMail(directory: string, options: MailOptions): Mail {
  return {
    async send(letter, { signal }) {
      const bytes = await composeLetter(letter, options);
      signal.throwIfAborted();
      await makeDirectory(directory, 0o700);
      const time = String(options.clock.nowMs()).padStart(timeDigits, '0');
      await writePrivateFile(
        join(directory, `${time}-${letter.accountId}-${letter.id}.eml`),
        bytes.toString('utf8'),
      );
      const names = await lettersIn(directory);
      for (const name of names.slice(0, -lettersMax))
        await unlink(join(directory, name)).catch(() => undefined);
    },
    async forget(accountId) {
      for (const name of await lettersIn(directory))
        if (name.slice(timeDigits).startsWith(`-${accountId}-`))
          await rm(join(directory, name), { force: true });
    },
  };
}

/** Names of letters, the oldest first. */
async function lettersIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => /^\d{15}-[\w-]+\.eml$/.test(name)).sort();
}
