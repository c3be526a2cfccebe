import { hashText } from '../../../common/core/rendezvous.ts';
import { buildCatalog, rank, type PlacementCatalog } from '../../../control-plane/core/placement/catalog.ts';
import type { ClusterBox, ClusterSettings } from '../../../control-plane/core/placement/place-cluster.ts';
import { seededRandom } from '../../support/seeded.ts';

/** How much there is to plan. */
export interface FleetSize {
  readonly files: number;
  readonly appliances: number;
}

/** What is placed: whole ladders, or single renditions where boxes lead viewers on. */
export const planModes = { whole: 1, single: 0 } as const;

export type PlanMode = keyof typeof planModes;

/** The control plane's defaults. */
export function settingsOf(mode: PlanMode): ClusterSettings {
  return { copiesMin: 2, keepBonus: 0.5, ladderWorth: planModes[mode] };
}

/** Renditions, sound and what goes along with them: bits per second of each file of a title, and its share of the plays. */
const ladder = [
  { bitsPerSecond: 8_000_000, share: 0.35 },
  { bitsPerSecond: 5_000_000, share: 0.25 },
  { bitsPerSecond: 3_000_000, share: 0.15 },
  { bitsPerSecond: 2_000_000, share: 0.1 },
  { bitsPerSecond: 1_100_000, share: 0.08 },
  { bitsPerSecond: 600_000, share: 0.04 },
  { bitsPerSecond: 300_000, share: 0.03 },
  { bitsPerSecond: 128_000, share: 1 },
  { bitsPerSecond: 4000, share: 1, goesAlong: true },
  { bitsPerSecond: 1000, share: 1, goesAlong: true },
];
const minutesMin = 20;
const minutesSpan = 100;
const zipfExponent = 0.9;
const boxesPerCluster = 5;
/** As Open Connect has them: three boxes of many disks and two of flash in each site. */
const kinds = [
  { capacityBytes: 120e12, throughput: 100 },
  { capacityBytes: 120e12, throughput: 100 },
  { capacityBytes: 120e12, throughput: 100 },
  { capacityBytes: 60e12, throughput: 200 },
  { capacityBytes: 60e12, throughput: 200 },
];
const reserveFraction = 0.05;
/** A night's window at the reference rate: 1.2 Gbit/s for 12 hours. */
const churnBytes = 6.5e12;

/** Titles of ten files each. */
export function makeCatalog({ files }: FleetSize): PlacementCatalog {
  const random = seededRandom(1);
  const bundleCount = Math.ceil(files / ladder.length);
  const fileCount = bundleCount * ladder.length;
  const fileBytes = new Float64Array(fileCount);
  for (let bundle = 0; bundle < bundleCount; bundle++) {
    const seconds = (minutesMin + random() * minutesSpan) * 60;
    ladder.forEach(({ bitsPerSecond }, at) => {
      fileBytes[bundle * ladder.length + at] = Math.round((seconds * bitsPerSecond) / 8);
    });
  }
  return buildCatalog({
    bundles: Array.from({ length: bundleCount }, (_, bundle) => ({
      bundle: `title-${String(bundle)}`,
      rank: bundle % 500 === 0 ? rank.pinned : rank.none,
    })),
    fileBytes,
    starts: Uint32Array.from({ length: bundleCount + 1 }, (_, bundle) => bundle * ladder.length),
    memberFiles: Uint32Array.from({ length: fileCount }, (_, file) => file),
    goesAlong: Uint8Array.from({ length: fileCount }, (_, file) =>
      Number(ladder[file % ladder.length]?.goesAlong === true),
    ),
  });
}

/** The sites of a fleet, each with one cluster. */
export function siteCount({ appliances }: FleetSize): number {
  return Math.ceil(appliances / boxesPerCluster);
}

/** A site's boxes; each holds what it was told the night before. */
export function makeBoxes(site: number, held: readonly Uint32Array[]): ClusterBox[] {
  return kinds.map(({ capacityBytes, throughput }, at) => ({
    hash: hashText(`site-${String(site)}-${String(at)}`),
    usableBytes: Math.floor(capacityBytes * (1 - reserveFraction)),
    throughput,
    churnBytes: held[at] === undefined ? Infinity : churnBytes,
    held: held[at] ?? [],
  }));
}

/**
 * What a site's viewers want: Zipf's law over ranks that are the world's but for an octave or so of the site's own taste, the
 * same every night but for a tenth of the titles, which are dealt anew. Written into `into`. The numbers of titles, as those of
 * hashes, say nothing of their ranks.
 */
export function rate(into: Float64Array, { site, night }: { site: number; night: number }): void {
  const random = seededRandom(1000 * site + 7);
  const fresh = seededRandom(1000 * site + 31 * night);
  const titleCount = into.length / ladder.length;
  const zipf = zipfOf(titleCount);
  for (let index = 0; index < titleCount; index++) {
    const taste = 2 ** (2 * random() - 1);
    const chance = fresh();
    const isDealtAnew = night > 0 && chance < 0.1;
    const position = isDealtAnew ? Math.floor((chance / 0.1) * titleCount) : index;
    const plays = taste * (zipf[position] ?? 0);
    // Every number once: the prime divides no count of titles.
    const title = (index * 1_000_003) % titleCount;
    ladder.forEach(({ share }, at) => {
      into[title * ladder.length + at] = plays * share;
    });
  }
}

let zipfKnown = new Float64Array();

/** Plays by rank; a power for each title of each site would take as long as the plan. */
function zipfOf(titleCount: number): Float64Array {
  if (zipfKnown.length !== titleCount)
    zipfKnown = Float64Array.from({ length: titleCount }, (_, at) => 1e6 / (at + 1) ** zipfExponent);
  return zipfKnown;
}
