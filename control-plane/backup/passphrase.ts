import { coded } from '../../common/runtime/errors.ts';
import { readPrivateFile } from '../../common/runtime/private-file.ts';

/** The passphrase in a private file; undefined where none is named. CONFIG_INVALID for a file that others may read or that has none. */
export async function readPassphrase(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const [passphrase = ''] = ((await readPrivateFile(file)) ?? '').split(/\r?\n/, 1);
  if (passphrase !== '') return passphrase;
  throw coded('CONFIG_INVALID', `${file} has no passphrase on its first line`);
}
