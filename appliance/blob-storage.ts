import { openBlobs } from '../common/adapters/blobs/open.ts';
import { noDisks } from './disk/disk-keeper.ts';
import { createReadPool } from './read-pool.ts';
import type { Storage, StorageOptions } from './storage.ts';
import { createBlobContent } from './store/blob-content.ts';

const originLoadsMax = 64;
/** For how long a corrupt blob is told in heartbeats after it was last met. */
const corruptToldMs = 600_000;

/** Opens an origin's blobs. */
export async function openBlobStorage({ config, clock, log }: StorageOptions, url: string): Promise<Storage> {
  const blobs = await openBlobs(url);
  let corruptAtMs = -Infinity;
  const content = createBlobContent({
    blobs,
    pool: createReadPool(config),
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
