import { BufferPool } from '../store/buffer-pool.ts';
import type { ContentSource } from '../store/content.ts';
import type { Misses } from './misses.ts';
import type { PullLink } from './pull-link.ts';
import { PullView } from './pull-view.ts';

const bufferBytes = 256 * 1024;
const smallBufferBytes = 32 * 1024;
/** The box's memory for chunks that were read to be verified, and for what of them is on its way to viewers. */
const cacheBytesMax = 64 * 2 ** 20;
const poolBytesMax = 64 * 2 ** 20;
const idlePoolBytesMax = 16 * 2 ** 20;

/** What serves files that are not held, in one of `workers` processes: memory is the box's, so each has its part. */
export function createMisses(options: { link: PullLink; held: ContentSource; workers: number }): Misses {
  const { link, held } = options;
  const share = (bytes: number): number => Math.floor(bytes / Math.max(1, options.workers));
  const pool = new BufferPool({
    sizeBytes: bufferBytes,
    smallBytes: smallBufferBytes,
    budgetBytes: share(poolBytesMax),
    idleBytesMax: share(idlePoolBytesMax),
  });
  return new PullView({ link, held, pool, cacheBytes: share(cacheBytesMax) });
}
