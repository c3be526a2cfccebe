import { coded } from '../common/runtime/errors.ts';
import { readPrivateFile } from '../common/runtime/private-file.ts';

/** The first line of a private file. CONFIG_INVALID for a file that others may read, or that has no `what` on its first line. */
export async function readSecretLine(file: string, what: string): Promise<string> {
  const [line = ''] = ((await readPrivateFile(file)) ?? '').split(/\r?\n/, 1);
  if (line !== '') return line;
  throw coded('CONFIG_INVALID', `${file} has no ${what} on its first line`);
}
