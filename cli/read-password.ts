import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';

import { coded, systemCode } from '../common/runtime/errors.ts';

const passwordBytesMax = 4096;

/**
 * A password: from a file, from standard input where that is no terminal (a pipe, or `-` as the file), else asked for and not
 * shown. CREDENTIAL_MISSING for a file that cannot be read.
 */
export async function readPassword(file: string | undefined, signal: AbortSignal): Promise<string> {
  if (file !== undefined && file !== '-') return firstLine(await fileText(file));
  if (file === '-' || !process.stdin.isTTY) return firstLine(await text(process.stdin));
  process.stderr.write('Password: ');
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await prompt.question('', { signal });
  } finally {
    prompt.close();
    process.stderr.write('\n');
  }
}

async function fileText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const detail = `the password file ${file} cannot be read (${systemCode(cause) ?? ''})`;
    throw coded('CREDENTIAL_MISSING', { detail, cause });
  }
}

function firstLine(whole: string): string {
  const [line = ''] = whole.slice(0, passwordBytesMax).split(/\r?\n/, 1);
  return line;
}
