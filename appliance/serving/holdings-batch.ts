import { batches } from '../core/batches.ts';
import { packedFilesMax, packFiles, type SizedFile } from '../store/packed-files.ts';
import type { FileStore, HeldInfo } from '../store/file-store.ts';
import { batchMax, type ToWorker } from './messages.ts';

type HeldMessage = Extract<ToWorker, { kind: 'held' }>;
type HeldFile = readonly [file: string, info: HeldInfo];

/** What of a store is told. */
type TellingStore = Pick<FileStore, 'held' | 'roots' | 'onChange'>;

/** What changed of a store, with all of its disks. */
export function holdingsMessage(
  store: TellingStore,
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
function* wholeHoldings(store: TellingStore): Generator<HeldMessage> {
  for (const added of batches(store.held, packedFilesMax)) yield holdingsMessage(store, { added });
}

/**
 * Tells all that a store holds to several who ask for it at about the same time: it is packed once for all of them, and only when one of
 * them goes on. Who is told while something changes is told what is held by then, from the start.
 */
export class SharedHoldings {
  readonly #store: TellingStore;
  #packing: Iterator<HeldMessage> | undefined;
  #packed: HeldMessage[] = [];
  #changes = 0;
  #tellers = 0;

  constructor(store: TellingStore) {
    this.#store = store;
    store.onChange(() => {
      this.#changes++;
      this.#forget();
    });
  }

  /** Tells all of it; resolves when all was taken. */
  async tell(send: (message: HeldMessage) => Promise<void>): Promise<void> {
    this.#tellers++;
    try {
      const changes = this.#changes;
      for (let at = 0; changes === this.#changes; at++) {
        const message = this.#at(at);
        if (message === undefined) return;
        await send(message);
      }
      for (const message of wholeHoldings(this.#store)) await send(message);
    } finally {
      if (--this.#tellers === 0) this.#forget();
    }
  }

  #forget(): void {
    this.#packing = undefined;
    this.#packed = [];
  }

  #at(index: number): HeldMessage | undefined {
    this.#packing ??= wholeHoldings(this.#store);
    if (index === this.#packed.length) {
      const next = this.#packing.next();
      if (next.done !== true) this.#packed.push(next.value);
    }
    return this.#packed[index];
  }
}

/** Tells the changes of a store from now on, in few messages: thousands of files go at once when a disk fails. */
export function tellHoldings(store: TellingStore, tell: (message: HeldMessage) => void): void {
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
