import {
  placeBundles,
  type PlacedAppliance,
  type PlacementAppliance,
  type PlacementBundle,
  type PlacementProblem,
  type PlacementSettings,
} from '../../../control-plane/core/placement.ts';

/** A bundle with the popularity of each of its files. */
export interface RatedBundle extends PlacementBundle {
  readonly urgent: boolean;
  readonly rates: Readonly<Record<string, number>>;
}

export interface TitleOptions {
  sizeBytes?: number;
  /** Of the whole bundle. */
  popularity?: number;
  /** Share of what is wanted that is wanted of the best rendition, which is half of the bytes; the rest of the other. */
  bestShare?: number;
  pinned?: boolean;
  urgent?: boolean;
}

/** A bundle of two renditions: the best has half of the bytes, the small one 4/10, the bundle file the rest. */
export function title(name: string, options: TitleOptions = {}): RatedBundle {
  const { sizeBytes = 100, popularity = 1, bestShare = 0.5, pinned = false, urgent = false } = options;
  const best = Math.floor(sizeBytes / 2);
  const small = Math.floor(sizeBytes * 0.4);
  const files = [
    { file: `bundle-${name}`, sizeBytes: sizeBytes - best - small },
    { file: `small-${name}`, sizeBytes: small },
    { file: `best-${name}`, sizeBytes: best },
  ];
  const demand = popularity * sizeBytes;
  const rate = (share: number, bytes: number): number => (bytes === 0 ? 0 : (demand * share) / bytes);
  const rates = {
    [`best-${name}`]: rate(bestShare, best),
    [`small-${name}`]: rate(1 - bestShare, sizeBytes - best),
    [`bundle-${name}`]: rate(1 - bestShare, sizeBytes - best),
  };
  return { bundle: `bundle-${name}`, pinned, urgent, files, rates };
}

/** The popularity of those bundles' files, the same at every site. */
export function popularityOf(bundles: readonly RatedBundle[]): PlacementProblem['popularity'] {
  const rates = new Map(bundles.flatMap((bundle) => Object.entries(bundle.rates)));
  return (_, { file }) => rates.get(file) ?? 0;
}

export interface BoxOptions {
  site?: string;
  cluster?: string;
  capacityBytes?: number;
  throughput?: number;
  churnBytes?: number | undefined;
  leadsOn?: boolean;
  held?: Iterable<string>;
}

export function box(id: string, options: BoxOptions = {}): PlacementAppliance {
  const {
    cluster = 'a',
    site = cluster,
    capacityBytes = 1000,
    throughput = 1,
    churnBytes,
    leadsOn = false,
    held = [],
  } = options;
  return { id, site, cluster, capacityBytes, throughput, churnBytes, leadsOn, held: new Set(held) };
}

export function ids(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(3, '0')}`);
}

export function bundlesOf(placed: readonly PlacedAppliance[], id: string): readonly string[] {
  return placed.find((appliance) => appliance.id === id)?.bundles ?? [];
}

/** What is placed, held by its box: the state after a fill. */
export function filled(
  appliances: readonly PlacementAppliance[],
  placed: readonly PlacedAppliance[],
): PlacementAppliance[] {
  return appliances.map((appliance) => {
    const files = placed.find(({ id }) => id === appliance.id)?.files ?? [];
    return { ...appliance, held: new Set(files.map(({ file }) => file)) };
  });
}

/** Bytes that boxes are to hold and do not. */
export function addedBytes(
  appliances: readonly PlacementAppliance[],
  placed: readonly PlacedAppliance[],
): number {
  const held = new Map(appliances.map((appliance) => [appliance.id, appliance.held]));
  let added = 0;
  for (const { id, files } of placed) {
    for (const { file, sizeBytes } of files) if (held.get(id)?.has(file) !== true) added += sizeBytes;
  }
  return added;
}

/** Bytes that `after` wants on boxes where `before` did not. */
export function movedBytes(before: readonly PlacedAppliance[], after: readonly PlacedAppliance[]): number {
  return addedBytes(
    before.map(({ id, files }) => box(id, { held: files.map(({ file }) => file) })),
    after,
  );
}

export const settings: PlacementSettings = {
  ...{ reserveFraction: 0.05, copiesMin: 2, keepBonus: 0.5 },
  ...{ ladderWorth: 1, leftMax: 1000 },
};

/** Places bundles whose files are as popular as they say, at every site. */
export function place(
  bundles: readonly RatedBundle[],
  appliances: readonly PlacementAppliance[],
  more: Partial<PlacementSettings> = {},
): PlacedAppliance[] {
  const popularity = popularityOf(bundles);
  return placeBundles({ bundles, appliances, popularity, settings: { ...settings, ...more } });
}
