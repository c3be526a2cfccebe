import { batches } from '../core/batches.ts';
import { packedFilesMax, packFiles, type SizedFile } from '../store/packed-files.ts';
import type { FileStore, HeldInfo } from '../store/file-store.ts';
import { batchMax, type ToWorker } from './messages.ts';

type HeldMessage = Extract<ToWorker, { kind: 'held' }>;
type HeldFile = readonly [file: string, info: HeldInfo];

/** What changed of a store, with all of its disks. */
export function holdingsMessage(
  store: FileStore,
  { added = [], removed = [] }: { added?: readonly HeldFile[]; removed?: string[] },
): HeldMessage {
  const byDisk = new Map<number, SizedFile[]>();
  for (const [file, { sizeBytes, disk }] of added) {
    const files = byDisk.get(disk);
    if (files === undefined) byDisk.set(disk, [[file, sizeBytes]]);
    else files.push([file, sizeBytes]);
  }
  const packed = [...byDisk].map(([disk, files]): [number, string] => [disk, packFiles(files)]);
  return { kind: 'held', disks: [...store.roots], added: packed, removed };
}

/** All that a store holds. Read as it goes: what changes meanwhile is told besides, and a map's iterator meets it too or has passed it. */
export function* wholeHoldings(store: FileStore): Generator<HeldMessage> {
  for (const added of batches(store.held, packedFilesMax)) yield holdingsMessage(store, { added });
}

/** Tells the changes of a store from now on, in few messages: thousands of files go at once when a disk fails. */
export function tellHoldings(store: FileStore, tell: (message: HeldMessage) => void): void {
  // How a file changed, the store knows by the time that it is told.
  const changed = new Set<string>();
  const flush = (): void => {
    const all = [...changed];
    changed.clear();
    for (const files of batches(all, batchMax)) {
      const added = files.flatMap((file): HeldFile[] => {
        const info = store.held.get(file);
        return info === undefined ? [] : [[file, info]];
      });
      // What came back is removed first, so that nothing stays open of what it was.
      tell(holdingsMessage(store, { added, removed: files }));
    }
  };
  store.onChange(({ file }) => {
    if (changed.size === 0) setImmediate(flush);
    changed.add(file);
  });
}
