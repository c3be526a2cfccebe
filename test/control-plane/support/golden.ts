import { readFile, writeFile } from 'node:fs/promises';

/** The text of a golden file next to the caller; with UPDATE_GOLDEN=1 it is written first. */
export async function golden(url: URL, actual: string): Promise<string> {
  if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(url, actual);
  return await readFile(url, 'utf8');
}
