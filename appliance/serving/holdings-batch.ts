import type { FileStore, HeldInfo } from '../store/file-store.ts';
import { batchMax, type ToWorker } from './messages.ts';

type HeldMessage = Extract<ToWorker, { kind: 'held' }>;

/** A held file as a message tells it: name, bytes, disk. */
export function held(file: string, { sizeBytes, disk }: HeldInfo): [string, number, number] {
  return [file, sizeBytes, disk];
}

/** What changed of a store, with all of its disks. */
export function holdingsMessage(
  store: FileStore,
  { added = [], removed = [] }: Partial<Pick<HeldMessage, 'added' | 'removed'>>,
): HeldMessage {
  return { kind: 'held', disks: [...store.roots], added, removed };
}

/** All that a store holds. Read as it goes: what changes meanwhile is told besides, and a map's iterator meets it too or has passed it. */
export function* wholeHoldings(store: FileStore): Generator<HeldMessage> {
  for (const added of batches(store.held.entries().map(([file, info]) => held(file, info))))
    yield holdingsMessage(store, { added });
}

/** Tells the changes of a store from now on, in few messages: thousands of files go at once when a disk fails. */
export function tellHoldings(store: FileStore, tell: (message: HeldMessage) => void): void {
  // How a file changed, the store knows by the time that it is told.
  const changed = new Set<string>();
  const flush = (): void => {
    const all = [...changed];
    changed.clear();
    for (const files of batches(all)) {
      const added = files.flatMap((file) => {
        const info = store.held.get(file);
        return info === undefined ? [] : [held(file, info)];
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

/** Items in lists of at most `batchMax`. */
export function* batches<T>(items: Iterable<T>): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < batchMax) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
