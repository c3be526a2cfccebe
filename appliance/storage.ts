import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Log } from '../common/runtime/log.ts';
import type { ApplianceConfig } from './config.ts';
import { Claims } from './disk/claims.ts';
import { DiskBook } from './disk/disk-book.ts';
import { DiskProcess } from './disk/disk-process.ts';
import { DiskKeeper, type WantedDisks } from './disk/disk-keeper.ts';
import type { DiskState } from './disk/disk-slot.ts';
import { createReadPool } from './read-pool.ts';
import type { DiskChild } from './disk/disk-child.ts';
import type { ContentSource } from './store/content.ts';
import { Disk } from './store/disk.ts';
import { DiskSet } from './store/disk-set.ts';
import type { FileStore, StoreUsage } from './store/file-store.ts';
import { OpenFiles } from './store/open-files.ts';

/** What a box serves from, and what it reports of it. */
export interface Storage {
  readonly content: ContentSource;
  /** Absent at an origin, which holds everything and fills nothing. */
  readonly store: FileStore | undefined;
  usage(): Promise<StoreUsage>;
  /** Problem codes of what is wrong with it, and words. */
  reasons(): string[];
  openFiles(): number;
  /** Watches its disks until the signal ends it. */
  start(signal: AbortSignal): void;
  /** Makes the disks those that are wanted now; an origin has none. */
  useDisks(wanted: WantedDisks): Promise<void>;
  /** Tells when disks have come, gone, or are to be emptied. */
  onDisks(listener: () => void): void;
  /** How many disks are in which state. */
  diskStates(): Readonly<Record<DiskState, number>>;
  close(): Promise<void>;
}

export interface StorageOptions {
  config: ApplianceConfig;
  clock: Clock;
  log: Log;
}

/** Opens the disks; one that cannot be is left out, and told in the reasons. */
export async function openDiskStorage(
  options: StorageOptions & { box: string; chance: Chance; startDisk: () => DiskChild },
): Promise<Storage> {
  const { config, clock, log, box, chance, startDisk } = options;
  const { dataDir, capacityBytes, reserveBytes, diskSlowMs: slowMs } = config;
  const openFiles = new OpenFiles({ openMax: config.openFilesMax });
  const pool = createReadPool(config);
  const set = new DiskSet({ capacityBytes, clock, log });
  const book = new DiskBook(dataDir);
  await book.open();
  const listeners: (() => void)[] = [];
  let number = 0;
  const keeper = new DiskKeeper({
    ...{ box, dataDir, slowMs, set, book, claims: new Claims(), clock, chance, log },
    nextNumber: () => number++,
    changed: () => {
      for (const listener of listeners) listener();
    },
    startProcess: (path) =>
      new DiskProcess({ path, nodeId: box, log: config.log, clock, child: startDisk() }),
    openStore: (disk) =>
      new Disk({ ...disk, capacityBytes: undefined, reserveBytes, openFiles, pool, clock, log }),
  });
  await keeper.use(config);
  return {
    content: set,
    store: set,
    usage: () => set.usage(),
    reasons: () => keeper.reasons(),
    openFiles: () => openFiles.size,
    start: (signal) => {
      keeper.start(signal);
    },
    useDisks: (wanted) => keeper.use(wanted),
    onDisks: (listener) => void listeners.push(listener),
    diskStates: () => keeper.states(),
    close: async () => {
      await set.close();
      await keeper.close();
    },
  };
}
