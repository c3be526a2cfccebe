import { createReadPool } from './read-pool.ts';
import { HeldView } from './serving/held-view.ts';
import type { StorageOptions } from './storage.ts';
import type { ContentSource } from './store/content.ts';
import type { HeldFault } from './store/held-reader.ts';
import { OpenFiles } from './store/open-files.ts';

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
    const { openBlobStorage } = await import('./blob-storage.ts');
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
  const view = new HeldView({ openFiles, pool: createReadPool(config), onFault });
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
