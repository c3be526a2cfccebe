import { join } from 'node:path';

import { descriptorLengthBytes } from '../../common/core/chunk-tree.ts';

/** Where things lie on a disk. */
export interface DiskLayout {
  readonly filesPath: string;
  readonly partialPath: string;
  /** `files/<first two digits>/<name>`. */
  content(file: string): string;
  descriptor(file: string): string;
  /** The folder of a held file, to be synced after a rename into it. */
  folder(file: string): string;
  /** A download under way: its bytes so far, its chunk list, and which of its chunks are there. */
  partial(file: string): { content: string; descriptor: string; map: string };
}

/** The layout of a disk whose root is `path`. */
export function diskLayout(path: string): DiskLayout {
  const filesPath = join(path, 'files');
  const partialPath = join(path, 'partial');
  const folder = (file: string): string => join(filesPath, file.slice(0, 2));
  return {
    filesPath,
    partialPath,
    folder,
    content: (file) => join(folder(file), file),
    descriptor: (file) => join(folder(file), `${file}.chunks`),
    partial: (file) => ({
      content: join(partialPath, file),
      descriptor: join(partialPath, `${file}.chunks`),
      map: join(partialPath, `${file}.map`),
    }),
  };
}

const blockBytes = 4096;

/** What a file of that size takes of a disk, which hands out blocks: content and chunk list. */
export function fileCostBytes(sizeBytes: number): number {
  return inBlocks(sizeBytes) + inBlocks(descriptorLengthBytes(sizeBytes));
}

function inBlocks(sizeBytes: number): number {
  return Math.ceil(sizeBytes / blockBytes) * blockBytes;
}
