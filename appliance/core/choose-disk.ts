/** Room for new files on one disk. */
export interface DiskRoom {
  readonly disk: number;
  /** Bytes that files may still take of it. */
  readonly freeBytes: number;
  /** How fast it has written lately; undefined while that is not known. */
  readonly bytesPerSecond: number | undefined;
}

/**
 * The disk for a new file of `needBytes`: of those where it fits, the one with the most free bytes, so that disks fill up
 * together. One that writes at less than half of the fastest one's rate counts with as much less; smaller differences are
 * noise, and what is not known counts whole. Equals go to the lower number; undefined where it fits nowhere.
 */
export function chooseDisk(rooms: readonly DiskRoom[], needBytes: number): number | undefined {
  const fastest = Math.max(0, ...rooms.map(({ bytesPerSecond }) => bytesPerSecond ?? 0));
  let best: { disk: number; score: number } | undefined;
  for (const { disk, freeBytes, bytesPerSecond } of rooms) {
    if (freeBytes < needBytes) continue;
    const weight = bytesPerSecond === undefined ? 1 : Math.min(1, (2 * bytesPerSecond) / fastest);
    const score = freeBytes * weight;
    if (best === undefined || score > best.score || (score === best.score && disk < best.disk))
      best = { disk, score };
  }
  return best?.disk;
}
