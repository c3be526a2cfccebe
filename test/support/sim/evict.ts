import type { FillDiff } from '../../../appliance/core/fill-diff.ts';

/** A held file as a simulated box knows it. */
interface Held {
  readonly sizeBytes: number;
  readonly disk: number;
  readonly inUse: boolean;
  readonly lastServedMs?: number;
}

/** The files that go for what a comparison says is in the way: longest unserved first, as LRU would have it, and all that is on other disks. */
export function victimsOf(
  { evictBytes, remove }: FillDiff,
  { held, wanted }: { held: ReadonlyMap<string, Held>; wanted: ReadonlySet<string> },
): string[] {
  const victims = [...remove];
  const left = new Map(evictBytes);
  const spare = [...held].filter(([file, { inUse }]) => !inUse && !wanted.has(file));
  spare.sort(
    ([a, one], [b, other]) => (one.lastServedMs ?? 0) - (other.lastServedMs ?? 0) || (a < b ? -1 : 1),
  );
  for (const [file, { disk, sizeBytes }] of spare) {
    const bytes = left.get(disk) ?? 0;
    if (bytes <= 0) continue;
    left.set(disk, bytes - sizeBytes);
    victims.push(file);
  }
  return victims;
}
