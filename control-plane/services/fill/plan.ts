import {
  placeBundles,
  type PlacedAppliance,
  type PlacementFile,
  type PlacementSettings,
} from '../../core/placement.ts';
import type { FillBundle, FillCatalog, FillNode } from './ports.ts';
import { createSiteDemand } from './site-demand.ts';

/** Placement's settings and when what a lost appliance holds is placed elsewhere. */
export interface FillPlanSettings extends PlacementSettings {
  readonly lostAfterMs: number;
  /** Most that a box may newly be told to hold within 24 hours, what is pinned or urgent aside; no limit where it is absent. */
  readonly churnBytesPerDay?: number | undefined;
}

/** A file on an appliance's list. */
export interface WantedFile {
  readonly file: string;
  readonly ext: string;
  readonly sizeBytes: number;
  readonly bundle: string;
}

/** One appliance's part of a plan. */
export interface AppliancePlan {
  /** With the reasons: why each file is here, why bundles are not. */
  readonly placed: PlacedAppliance;
  /** Bundles that are whole here. */
  readonly bundles: ReadonlySet<string>;
  /** By file name, in the order in which they are wanted. */
  readonly files: ReadonlyMap<string, WantedFile>;
  /** Of a box that leads on; of others none. The object of the plan before where it says the same. */
  readonly ladders: PlannedLadders;
}

/** By bundle that may be offered on a box: its files that are planned there. */
export type PlannedLadders = ReadonlyMap<string, readonly WantedFile[]>;

export const noLadders: PlannedLadders = new Map();

/** What an appliance was newly told to hold in one hour. */
interface ChurnHour {
  readonly hour: number;
  readonly bytes: number;
}

/** What every appliance is to hold. */
export interface FillPlan {
  readonly bundles: ReadonlyMap<string, FillBundle>;
  readonly appliances: ReadonlyMap<string, AppliancePlan>;
  /** Clusters in which placement could put something at all. */
  readonly clusters: ReadonlySet<string>;
  /** By appliance: what counts against its churn budget, the last 24 hours. */
  readonly churn: ReadonlyMap<string, readonly ChurnHour[]>;
}

export const emptyPlan: FillPlan = {
  bundles: new Map(),
  appliances: new Map(),
  clusters: new Set(),
  churn: new Map(),
};

const hourMs = 3_600_000;
const churnHours = 24;

/**
 * Plans what each appliance is to hold. Appliances count that have reported once and are not lost for long; what the plan
 * before wanted of a box counts as held there, so that a plan in the middle of a fill does not move what is on its way.
 */
export function planFill(
  { nodes, catalog }: { nodes: readonly FillNode[]; catalog: FillCatalog },
  { before, settings, nowMs }: { before: FillPlan; settings: FillPlanSettings; nowMs: number },
): FillPlan {
  const bundles = catalog.bundles();
  const appliances = nodes.filter((node) => takesPart(node, settings.lostAfterMs));
  const hour = Math.floor(nowMs / hourMs);
  const churn = new Map(appliances.map(({ id }) => [id, recentChurn(before, id, hour)]));
  const placed = placeBundles({
    bundles,
    appliances: appliances.map((node) => ({
      id: node.id,
      site: node.site,
      cluster: node.cluster,
      capacityBytes: node.capacityBytes,
      throughput: throughputOf(node, appliances),
      churnBytes: budgetLeft(settings.churnBytesPerDay, churn.get(node.id) ?? []),
      leadsOn: leadsOn(node),
      held: keptFiles(node, before),
    })),
    popularity: popularityBySite(catalog, bundles, nowMs),
    settings,
  });
  const wanted = wantedFiles(bundles);
  const byName = new Map(bundles.map((bundle) => [bundle.bundle, bundle]));
  return {
    bundles: byName,
    appliances: new Map(
      placed.map((one) => {
        const files = listOf(one, wanted);
        const ladders = one.offered.length > 0 ? laddersOf(one, files, byName) : noLadders;
        const known = before.appliances.get(one.id)?.ladders;
        const same = known !== undefined && isSame(known, ladders) ? known : ladders;
        return [one.id, { placed: one, bundles: new Set(one.bundles), files, ladders: same }];
      }),
    ),
    clusters: new Set(appliances.map(({ cluster }) => cluster)),
    churn: new Map([
      // A box that is lost has spent what it has spent when it comes back.
      ...[...before.churn.keys()]
        .map((id) => [id, recentChurn(before, id, hour)] as const)
        .filter(([, past]) => past.length > 0),
      ...placed.map((one) => [one.id, addChurn(churn.get(one.id) ?? [], hour, one.churnBytes)] as const),
    ]),
  };
}

/** Whether a box answers for what it does not hold, so that it may be a way to a title of which it holds some renditions. */
function leadsOn({ mayFetch, mayRedirect }: Pick<FillNode, 'mayFetch' | 'mayRedirect'>): boolean {
  return mayFetch || mayRedirect;
}

/** Its line's; of a cluster where some box does not know its own, as much as it stores of the content. */
function throughputOf(node: FillNode, appliances: readonly FillNode[]): number {
  const isKnown = appliances.every(
    ({ cluster, lineBytesPerSecond }) => cluster !== node.cluster || lineBytesPerSecond !== undefined,
  );
  return isKnown && node.lineBytesPerSecond !== undefined ? node.lineBytesPerSecond : node.capacityBytes;
}

function takesPart(node: FillNode, lostAfterMs: number): boolean {
  if (node.role !== 'appliance' || node.capacityBytes === 0) return false;
  return node.lostMs === undefined || node.lostMs < lostAfterMs;
}

function keptFiles(node: FillNode, before: FillPlan): ReadonlySet<string> {
  const wanted = before.appliances.get(node.id)?.files;
  if (wanted === undefined) return node.held;
  return node.held.union(wanted);
}

/** What was spent within a day; what a clock that was ahead has dated to come was spent by now. */
function recentChurn({ churn }: FillPlan, id: string, hour: number): readonly ChurnHour[] {
  let recent: readonly ChurnHour[] = [];
  for (const past of churn.get(id) ?? []) {
    if (past.hour > hour - churnHours) recent = addChurn(recent, Math.min(hour, past.hour), past.bytes);
  }
  return recent;
}

function budgetLeft(budgetBytes: number | undefined, churn: readonly ChurnHour[]): number | undefined {
  if (budgetBytes === undefined) return undefined;
  return Math.max(0, budgetBytes - churn.reduce((sum, { bytes }) => sum + bytes, 0));
}

function addChurn(churn: readonly ChurnHour[], hour: number, bytes: number): readonly ChurnHour[] {
  if (bytes === 0) return churn;
  const earlier = churn.filter((past) => past.hour !== hour);
  const inHour = churn.find((past) => past.hour === hour)?.bytes ?? 0;
  return [...earlier, { hour, bytes: inHour + bytes }];
}

/**
 * What each site's viewers want, in steps of a quarter of an octave of each file's share of it: neither a few more viewers nor
 * an hour in which all weights fade make new manifests. Nor do pages of posters: what is looked at is of its own sum.
 */
function popularityBySite(
  catalog: FillCatalog,
  bundles: readonly FillBundle[],
  nowMs: number,
): (site: string, file: PlacementFile) => number {
  const demand = createSiteDemand(catalog, bundles, nowMs);
  const pictures = new Set<string>();
  for (const { isPicture, files } of bundles)
    if (isPicture === true) for (const { file } of files) pictures.add(file);
  const sums = new Map<string, { played: number; seen: number }>();
  return (site, file) => {
    const of = demand(site);
    let sum = sums.get(site);
    if (sum === undefined) {
      sum = { played: 0, seen: 0 };
      for (const { isPicture, files } of bundles)
        for (const one of files) sum[isPicture === true ? 'seen' : 'played'] += of(one);
      sums.set(site, sum);
    }
    const all = pictures.has(file.file) ? sum.seen : sum.played;
    return all * inSteps(of(file) / all);
  };
}

function inSteps(share: number): number {
  return share > 0 ? 2 ** (Math.round(Math.log2(share) * 4) / 4) : 0;
}

/** By bundle and file, made once and shared by all appliances. */
type WantedFiles = ReadonlyMap<string, ReadonlyMap<string, WantedFile>>;

function wantedFiles(bundles: readonly FillBundle[]): WantedFiles {
  const byFile = ({ bundle, files }: FillBundle) =>
    new Map(files.map(({ file, ext, sizeBytes }) => [file, { file, ext, sizeBytes, bundle }] as const));
  return new Map(bundles.map((bundle) => [bundle.bundle, byFile(bundle)]));
}

function listOf(placed: PlacedAppliance, wanted: WantedFiles): ReadonlyMap<string, WantedFile> {
  const files = new Map<string, WantedFile>();
  for (const { file, bundle } of placed.files) {
    const found = wanted.get(bundle)?.get(file);
    if (found !== undefined) files.set(file, found);
  }
  return files;
}

function laddersOf(
  { offered }: PlacedAppliance,
  files: ReadonlyMap<string, WantedFile>,
  bundles: ReadonlyMap<string, FillBundle>,
): PlannedLadders {
  const ladders = new Map<string, readonly WantedFile[]>();
  for (const name of offered) {
    const all = bundles.get(name)?.files ?? [];
    ladders.set(
      name,
      all.flatMap(({ file }) => files.get(file) ?? []),
    );
  }
  return ladders;
}

function isSame(one: PlannedLadders, other: PlannedLadders): boolean {
  if (one.size !== other.size) return false;
  for (const [bundle, files] of one) {
    const others = other.get(bundle);
    if (others?.length !== files.length) return false;
    if (!files.every(({ file }, at) => file === others[at]?.file)) return false;
  }
  return true;
}
