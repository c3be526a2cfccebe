import { hashText } from '../../common/core/rendezvous.ts';
import { compareText, internBundles, type NamedCatalog } from './placement/catalog.ts';
import { offeredBundles } from './placement/offered.ts';
import {
  placeCluster,
  type ClusterBox,
  type ClusterPlacement,
  type ClusterSettings,
} from './placement/place-cluster.ts';
import { whyName, type PlacedWhy } from './placement/placed-list.ts';
import { wish } from './placement/weigh.ts';

/** A file of a bundle, as placement needs it. */
export interface PlacementFile {
  readonly file: string;
  readonly sizeBytes: number;
  /** What is neither mp4 nor m4a goes along with each rendition that is placed alone. */
  readonly ext?: string | undefined;
}

/** A published bundle: its files (the bundle file among them, in the order in which they are to be filled). */
export interface PlacementBundle {
  readonly bundle: string;
  /** Comes before everything that is not, and is outside of the churn budget. */
  readonly pinned: boolean;
  /** Is outside of the churn budget. */
  readonly urgent?: boolean | undefined;
  readonly files: readonly PlacementFile[];
}

/** An appliance that may hold files. */
export interface PlacementAppliance {
  readonly id: string;
  readonly site: string;
  readonly cluster: string;
  readonly capacityBytes: number;
  /** Share of the cluster's load that the box takes, relative to its mates. */
  readonly throughput: number;
  /** Bytes that may newly be added, what is pinned or urgent aside; no limit where it is absent. */
  readonly churnBytes?: number | undefined;
  /** It answers for what it does not hold: fetches it, or leads viewers on to who holds it. */
  readonly leadsOn?: boolean | undefined;
  /** Files that are on its disks or on their way there: moving them elsewhere is churn. */
  readonly held: ReadonlySet<string>;
}

/** What an operator may choose about placement. */
export interface PlacementSettings extends ClusterSettings {
  /** Share of each disk that placement leaves free. */
  readonly reserveFraction: number;
  /** Left-out bundles listed per appliance at most, the most wanted first. */
  readonly leftMax: number;
}

/** Why a bundle is not whole on an appliance. `needBytes` is what is missing of it there. */
export type LeftOut = { readonly bundle: string } & (
  | { readonly kind: 'copies-elsewhere'; readonly holders: readonly string[] }
  | { readonly kind: 'in-part'; readonly needBytes: number; readonly plannedBytes: number }
  | { readonly kind: 'too-large'; readonly needBytes: number; readonly usableBytes: number }
  | { readonly kind: 'churn-budget'; readonly needBytes: number; readonly budgetLeftBytes: number }
  | { readonly kind: 'no-room'; readonly needBytes: number; readonly freeBytes: number }
);

/** A file that an appliance is to hold, and why. */
export interface PlacedFile extends PlacementFile {
  /** The first bundle that brought it. */
  readonly bundle: string;
  readonly why: PlacedWhy;
  /** How many times viewers of the site want the whole of it. */
  readonly popularity: number;
}

/** What one appliance is to hold. */
export interface PlacedAppliance {
  readonly id: string;
  readonly cluster: string;
  readonly usableBytes: number;
  readonly plannedBytes: number;
  /** Bytes that are planned and not held, what is pinned or urgent aside: what the churn budget is for. */
  readonly churnBytes: number;
  /** Bundles that are whole here, in the order in which they are wanted. */
  readonly bundles: readonly string[];
  /** Of a box that leads on: bundles of which so much is planned here that viewers are better off here than elsewhere, the whole ones too. */
  readonly offered: readonly string[];
  /** Files in the order in which they are wanted, each once. */
  readonly files: readonly PlacedFile[];
  /** Bundles that are not whole here. */
  readonly left: readonly LeftOut[];
}

/** The problem that `placeBundles` solves. */
export interface PlacementProblem {
  readonly bundles: readonly PlacementBundle[];
  readonly appliances: readonly PlacementAppliance[];
  /** How many times viewers of a site want the whole of a file: bytes streamed over the smoothing window ÷ its size. */
  readonly popularity: (site: string, file: PlacementFile) => number;
  readonly settings: PlacementSettings;
}

/**
 * Decides what each appliance holds, each cluster by itself: see `placeCluster`. Where every box of a cluster leads on no ladder need be
 * whole, and each rendition stands for itself. Never more than a box's capacity less the
 * reserve, nor more new bytes than its churn budget. The same problem gives the same answer in whatever order its parts are
 * listed.
 */
export function placeBundles(problem: PlacementProblem): PlacedAppliance[] {
  const named = internBundles(problem.bundles);
  const clusters = new Map<string, PlacementAppliance[]>();
  for (const appliance of problem.appliances.toSorted((a, b) => compareText(a.id, b.id))) {
    const mates = clusters.get(appliance.cluster);
    if (mates === undefined) clusters.set(appliance.cluster, [appliance]);
    else mates.push(appliance);
  }
  const demands = new Map<string, Float64Array>();
  const popularityAt = (site: string): Float64Array => {
    const known = demands.get(site);
    if (known !== undefined) return known;
    const popularity = Float64Array.from(named.files, (file) => problem.popularity(site, file));
    demands.set(site, popularity);
    return popularity;
  };
  return [...clusters.values()]
    .flatMap((appliances) => {
      const popularity = popularityAt(appliances[0]?.site ?? '');
      const boxes = appliances.map((appliance) => boxOf(appliance, { named, settings: problem.settings }));
      const isWholeNeeded = !appliances.every(({ leadsOn }) => leadsOn === true);
      const settings = isWholeNeeded ? problem.settings : { ...problem.settings, ladderWorth: 0 };
      const placement = placeCluster(named.catalog, { boxes, popularity, settings });
      return describe(placement, { appliances, boxes, named, popularity, leftMax: problem.settings.leftMax });
    })
    .sort((a, b) => compareText(a.id, b.id));
}

function boxOf(
  { id, capacityBytes, throughput, churnBytes = Infinity, held }: PlacementAppliance,
  { named, settings }: { named: Named; settings: PlacementSettings },
): ClusterBox {
  const numbers: number[] = [];
  for (const file of held) {
    const number = named.numbers.get(file);
    if (number !== undefined) numbers.push(number);
  }
  const usableBytes = Math.floor(capacityBytes * (1 - settings.reserveFraction));
  return { hash: hashText(id), usableBytes, throughput, churnBytes, held: numbers };
}

type Named = NamedCatalog<PlacementBundle>;

interface Described {
  readonly appliances: readonly PlacementAppliance[];
  readonly boxes: readonly ClusterBox[];
  readonly named: Named;
  readonly popularity: Float64Array;
  readonly leftMax: number;
}

/** A cluster's placement by names. */
function describe(placement: ClusterPlacement, described: Described): PlacedAppliance[] {
  const { appliances, boxes, named, popularity, leftMax } = described;
  const whole: string[][] = boxes.map(() => []);
  const left: LeftOut[][] = boxes.map(() => []);
  for (const bundle of bundlesByWorth(placement, named)) {
    const name = named.bundles[bundle]?.bundle ?? '';
    const isWhole = boxes.map((_, box) => placement.ledger.isWhole(bundle, box));
    const holders = appliances.filter((_, box) => isWhole[box]).map(({ id }) => id);
    boxes.forEach((_, box) => {
      if (isWhole[box] === true) whole[box]?.push(name);
      else if ((left[box]?.length ?? 0) < leftMax)
        left[box]?.push({ bundle: name, ...whyLeft(placement, { described, bundle, box, holders }) });
    });
  }
  const offered = (box: number): string[] =>
    appliances[box]?.leadsOn === true
      ? offeredBundles(box, placement, { catalog: named.catalog, popularity }).map(
          (bundle) => named.bundles[bundle]?.bundle ?? '',
        )
      : [];
  return placement.boxes.map(({ files, bundles, whys }, box) => {
    const usableBytes = boxes[box]?.usableBytes ?? 0;
    const given = boxes[box]?.churnBytes ?? 0;
    return {
      id: appliances[box]?.id ?? '',
      cluster: appliances[box]?.cluster ?? '',
      usableBytes,
      plannedBytes: usableBytes - (placement.freeBytes[box] ?? 0),
      churnBytes: given === Infinity ? 0 : given - (placement.churnLeftBytes[box] ?? 0),
      bundles: whole[box] ?? [],
      offered: offered(box),
      files: Array.from(files, (file, at) => ({
        file: named.files[file]?.file ?? '',
        sizeBytes: named.files[file]?.sizeBytes ?? 0,
        bundle: named.bundles[bundles[at] ?? 0]?.bundle ?? '',
        why: whyName(whys[at] ?? 0),
        popularity: popularity[file] ?? 0,
      })),
      left: left[box] ?? [],
    };
  });
}

function bundlesByWorth({ wishes }: ClusterPlacement, { catalog }: Named): Uint32Array {
  const isBundle = (entry: number): boolean => wish.item(entry) < catalog.bundleCount && !wish.isKept(entry);
  return wishes.queue.filter(isBundle).map(wish.item);
}

function whyLeft(
  { ledger, churnBlocked, churnLeftBytes, freeBytes }: ClusterPlacement,
  left: { described: Described; bundle: number; box: number; holders: readonly string[] },
) {
  const { described, bundle, box, holders } = left;
  const { catalog } = described.named;
  if (holders.length > 0) return { kind: 'copies-elsewhere', holders } as const;
  const needBytes = ledger.missingBytes(bundle, box);
  if (ledger.isBegun(bundle, box) && described.appliances[box]?.leadsOn === true)
    return {
      kind: 'in-part',
      needBytes,
      plannedBytes: (catalog.bundleBytes[bundle] ?? 0) - needBytes,
    } as const;
  const usableBytes = described.boxes[box]?.usableBytes ?? 0;
  if ((catalog.bundleBytes[bundle] ?? 0) > usableBytes)
    return { kind: 'too-large', needBytes, usableBytes } as const;
  const budgetLeftBytes = churnLeftBytes[box] ?? 0;
  if (churnBlocked[bundle] === 1 && needBytes > budgetLeftBytes)
    return { kind: 'churn-budget', needBytes, budgetLeftBytes } as const;
  return { kind: 'no-room', needBytes, freeBytes: freeBytes[box] ?? 0 } as const;
}
