import { planFill, type HeldFile, type WantedFile } from '../../../appliance/core/fill-diff.ts';
import { median } from '../../support/bench.ts';
import { seededRandom } from '../../support/seeded.ts';

const sizeBytes = 200_000_000;
const changedShare = 0.02;

/**
 * Seconds that a box takes to see what a night brings: a manifest against what it holds, one file in fifty of them another
 * one, on disks that are full. The median of some rounds.
 */
export function measureDiff({ files, rounds }: { files: number; rounds: number }): number {
  const random = seededRandom(3);
  const held = new Map<string, HeldFile>();
  const wanted: WantedFile[] = [];
  for (let index = 0; index < files; index++) {
    const name = nameOf(index);
    held.set(name, { sizeBytes, disk: 0, inUse: false });
    // A string of its own, as the manifest's are.
    const file = nameOf(random() < changedShare ? files + index : index);
    wanted.push({ file, ext: 'mp4', sizeBytes });
  }
  const disks = [{ disk: 0, capacityBytes: files * sizeBytes, bytesPerSecond: undefined }];
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startedMs = performance.now();
    planFill({ wanted, held, disks, begunOn: () => undefined, costBytes: (bytes) => bytes });
    times.push((performance.now() - startedMs) / 1000);
  }
  return median(times);
}

/** As long as the names of files are. */
function nameOf(index: number): string {
  return index.toString(16).padStart(64, '0');
}
