import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Log } from '../common/runtime/log.ts';
import type { ApplianceConfig } from './config.ts';
import { Claims } from './disk/claims.ts';
import { DiskBook } from './disk/disk-book.ts';
import { DiskProcess } from './disk/disk-process.ts';
import { DiskKeeper, noDisks, type WantedDisks } from './disk/disk-keeper.ts';
import type { DiskState } from './disk/disk-slot.ts';
import type { NativeAddon } from './engine/native-addon.ts';
import { HeldView } from './serving/held-view.ts';
import { BufferPool } from './store/buffer-pool.ts';
import type { ContentSource } from './store/content.ts';
import { Disk } from './store/disk.ts';
import { DiskSet } from './store/disk-set.ts';
import type { FileStore, StoreUsage } from './store/file-store.ts';
import type { HeldFault } from './store/held-reader.ts';
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

interface StorageOptions {
  config: ApplianceConfig;
  clock: Clock;
  log: Log;
}

const bufferBytes = 256 * 1024;
const smallBufferBytes = 32 * 1024;
const idleBufferBytesMax = 16 * 2 ** 20;
const originLoadsMax = 64;
/** For how long a corrupt blob is told in heartbeats after it was last met. */
const corruptToldMs = 600_000;

/** Opens the disks; one that cannot be is left out, and told in the reasons. */
export async function openDiskStorage(
  options: StorageOptions & { box: string; chance: Chance; addon: NativeAddon | undefined },
): Promise<Storage> {
  const { config, clock, log, box, chance, addon } = options;
  const { dataDir, capacityBytes, reserveBytes, diskSlowMs: slowMs } = config;
  const openFiles = new OpenFiles({ openMax: config.openFilesMax });
  const pool = bufferPool(config);
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
    startProcess: (path) => new DiskProcess({ path, nodeId: box, log: config.log, clock, addon }),
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

/** Opens an origin's blobs; the engine for them is loaded only here. */
export async function openBlobStorage({ config, clock, log }: StorageOptions, url: string): Promise<Storage> {
  const [{ openBlobs }, { createBlobContent }] = await Promise.all([
    import('../common/adapters/blobs/open.ts'),
    import('./store/blob-content.ts'),
  ]);
  const blobs = await openBlobs(url);
  let corruptAtMs = -Infinity;
  const content = createBlobContent({
    blobs,
    pool: bufferPool(config),
    cacheBytes: config.originCacheBytes,
    loadsMax: originLoadsMax,
    onCorrupt: (file) => {
      corruptAtMs = clock.monotonicMs();
      log.error({ file, code: 'FILE_CORRUPT' }, 'a blob does not match its name; it is not served');
    },
  });
  return {
    content,
    store: undefined,
    usage: () => Promise.resolve({ capacityBytes: 0, usedBytes: 0 }),
    reasons: () => (clock.monotonicMs() - corruptAtMs < corruptToldMs ? ['FILE_CORRUPT'] : []),
    openFiles: () => 0,
    start: () => undefined,
    useDisks: () => Promise.resolve(),
    onDisks: () => undefined,
    diskStates: () => noDisks,
    close: () => blobs.close(),
  };
}

/** What a serving worker reads from, beside the process that writes. */
export interface WorkerStorage {
  readonly content: ContentSource;
  /** What is held, as the master says; absent at an origin. */
  readonly view: HeldView | undefined;
  /** Problem codes of what is wrong with it. */
  readonly reasons: () => string[];
  readonly openFiles: () => number;
  readonly close: () => Promise<void>;
}

/** Opens the content of a box for one of `workers` processes: memory is the box's, so each has its part. */
export async function openWorkerStorage(
  options: StorageOptions & { workers: number; onFault: (file: string, fault: HeldFault) => void },
): Promise<WorkerStorage> {
  const { workers, clock, log, onFault } = options;
  const config = {
    ...options.config,
    readBufferBytes: Math.ceil(options.config.readBufferBytes / workers),
    originCacheBytes: Math.ceil(options.config.originCacheBytes / workers),
  };
  const { blobsUrl } = config;
  if (blobsUrl !== undefined) {
    const storage = await openBlobStorage({ config, clock, log }, blobsUrl);
    return {
      content: storage.content,
      view: undefined,
      reasons: () => storage.reasons(),
      openFiles: () => storage.openFiles(),
      close: () => storage.close(),
    };
  }
  const openFiles = new OpenFiles({ openMax: config.openFilesMax });
  const view = new HeldView({ openFiles, pool: bufferPool(config), onFault });
  return {
    content: view,
    view,
    reasons: () => [],
    openFiles: () => openFiles.size,
    close: () => {
      view.setDisks(new Map());
      return Promise.resolve();
    },
  };
}

function bufferPool({ readBufferBytes }: ApplianceConfig): BufferPool {
  return new BufferPool({
    sizeBytes: bufferBytes,
    smallBytes: smallBufferBytes,
    budgetBytes: readBufferBytes,
    idleBytesMax: idleBufferBytesMax,
  });
}
