import { LRUCache } from 'lru-cache';

/**
 * A cache of up to `entriesMax` that forgets what was used longest ago, and takes room for what it holds alone. `LRUCache` with `max` takes
 * all room when it is made: 24 bytes and 0.1 µs an entry, which is most of a process's start where many caches may grow large.
 */
export function growingCache<K extends string, V extends object | number | true>(
  entriesMax: number,
  options: Pick<LRUCache.Options<K, V, unknown>, 'ttl' | 'ttlResolution' | 'perf'> = {},
): LRUCache<K, V> {
  return new LRUCache<K, V>({ ...options, maxSize: entriesMax, sizeCalculation: () => 1 });
}
