import { mkdir, writeFile } from 'node:fs/promises';

import { diskLayout } from '../../../appliance/store/disk-layout.ts';
import type { TestFile } from './content.ts';

const atOnce = 64;

/** Lays files onto a disk that nobody has open: whole, and in no index yet. */
export async function layFiles(root: string, files: Iterable<TestFile>): Promise<void> {
  const layout = diskLayout(root);
  for (let folder = 0; folder < 256; folder++)
    await mkdir(layout.folder(folder.toString(16).padStart(2, '0')), { recursive: true });
  const rest = Iterator.from(files);
  const layRest = async (): Promise<void> => {
    for (const { file, bytes, descriptor } of rest) {
      await writeFile(layout.descriptor(file), descriptor);
      await writeFile(layout.content(file), bytes);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, layRest));
}
