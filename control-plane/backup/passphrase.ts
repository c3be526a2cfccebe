import { readSecretLine } from '../secret-line.ts';

/** The passphrase in a private file; undefined where none is named. CONFIG_INVALID for a file that others may read or that has none. */
export async function readPassphrase(file: string | undefined): Promise<string | undefined> {
  return file === undefined ? undefined : readSecretLine(file, 'passphrase');
}
