import { placeBundles, type PlacedAppliance, type PlacementSettings } from '../../core/placement.ts';
import type { FillBundle, FillNode } from './ports.ts';

/** Placement's settings and when what a lost appliance holds is placed elsewhere. */
export interface FillPlanSettings extends PlacementSettings {
  readonly lostAfterMs: number;
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
  readonly placed: PlacedAppliance;
  readonly bundles: ReadonlySet<string>;
  /** By file name, in the order in which they are wanted. */
  readonly files: ReadonlyMap<string, WantedFile>;
}

/** What every appliance is to hold. */
export interface FillPlan {
  readonly bundles: ReadonlyMap<string, FillBundle>;
  readonly appliances: ReadonlyMap<string, AppliancePlan>;
  /** Clusters in which placement could put something at all. */
  readonly clusters: ReadonlySet<string>;
}

export const emptyPlan: FillPlan = { bundles: new Map(), appliances: new Map(), clusters: new Set() };

/**
 * Plans what each appliance is to hold. Appliances count that have reported once and are not lost for long; what the plan
 * before wanted of a box counts as held there, so that a plan in the middle of a fill does not move what is on its way.
 */
export function planFill(
  snapshot: { nodes: readonly FillNode[]; bundles: readonly FillBundle[] },
  { before, settings }: { before: FillPlan; settings: FillPlanSettings },
): FillPlan {
  const bundles = new Map(snapshot.bundles.map((bundle) => [bundle.bundle, bundle]));
  const appliances = snapshot.nodes.filter((node) => takesPart(node, settings.lostAfterMs));
  const placed = placeBundles({
    bundles: snapshot.bundles.map((bundle) => ({ ...bundle, popularity: inSteps(bundle.popularity) })),
    appliances: appliances.map((node) => ({
      id: node.id,
      cluster: node.cluster,
      capacityBytes: node.capacityBytes,
      weight: node.capacityBytes,
      held: keptFiles(node, before),
    })),
    settings,
  });
  const extensions = extensionsOf(snapshot.bundles);
  return {
    bundles,
    appliances: new Map(placed.map((one) => [one.id, planOf(one, extensions)])),
    clusters: new Set(appliances.map(({ cluster }) => cluster)),
  };
}

// Steps of a quarter of an octave: a few more bytes served do not make new manifests.
function inSteps(popularity: number): number {
  return popularity <= 0 ? 0 : 2 ** (Math.round(Math.log2(popularity) * 4) / 4);
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

function extensionsOf(bundles: readonly FillBundle[]): Map<string, string> {
  return new Map(bundles.flatMap(({ files }) => files.map(({ file, ext }) => [file, ext] as const)));
}

function planOf(placed: PlacedAppliance, extensions: ReadonlyMap<string, string>): AppliancePlan {
  const wanted = new Map<string, WantedFile>();
  for (const { file, sizeBytes, bundle } of placed.files) {
    wanted.set(file, { file, ext: extensions.get(file) ?? '', sizeBytes, bundle });
  }
  return { placed, bundles: new Set(placed.bundles), files: wanted };
}
