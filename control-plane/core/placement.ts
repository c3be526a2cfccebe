import { hashText, rendezvousScore, type HashPair } from '../../common/core/rendezvous.ts';

/** A file of a bundle, as placement needs it. */
export interface PlacementFile {
  readonly file: string;
  readonly sizeBytes: number;
}

/** A published bundle: its files (the bundle file among them, in the order in which they are to be filled). */
export interface PlacementBundle {
  readonly bundle: string;
  readonly pinned: boolean;
  /** Bytes served over the smoothing window ÷ size of the bundle. */
  readonly popularity: number;
  readonly files: readonly PlacementFile[];
}

/** An appliance that may hold files. */
export interface PlacementAppliance {
  readonly id: string;
  readonly cluster: string;
  readonly capacityBytes: number;
  /** Share of the cluster's load that the box takes, relative to its mates. */
  readonly weight: number;
  /** Files that are on its disks or on their way there: moving them elsewhere is churn. */
  readonly held: ReadonlySet<string>;
}

/** What an operator may choose about placement. */
export interface PlacementSettings {
  /** Share of each disk that placement leaves free. */
  readonly reserveFraction: number;
  /** Copies that a cluster keeps of every bundle once each bundle that fits has one; the pinned have them at once. */
  readonly copiesMin: number;
  /** How much more what is held counts than what is not: 0.5 means that a newcomer must be half as popular again. */
  readonly keepBonus: number;
  /** Left-out bundles listed per appliance at most, the most wanted first. */
  readonly leftMax: number;
}

/** Why a bundle is not on an appliance. */
export type LeftOut =
  | { readonly bundle: string; readonly kind: 'copies-elsewhere'; readonly holders: readonly string[] }
  | {
      readonly bundle: string;
      readonly kind: 'no-room';
      readonly needBytes: number;
      readonly freeBytes: number;
    };

/** What one appliance is to hold. */
export interface PlacedAppliance {
  readonly id: string;
  readonly cluster: string;
  readonly usableBytes: number;
  readonly plannedBytes: number;
  /** Bundles in the order in which they are wanted. */
  readonly bundles: readonly string[];
  /** Files in the order in which they are wanted; each once, with the first bundle that brought it. */
  readonly files: readonly { readonly file: string; readonly sizeBytes: number; readonly bundle: string }[];
  readonly left: readonly LeftOut[];
}

/** The problem that `placeBundles` solves. */
export interface PlacementProblem {
  readonly bundles: readonly PlacementBundle[];
  readonly appliances: readonly PlacementAppliance[];
  readonly settings: PlacementSettings;
}

// A held bundle's box outweighs an equal one by this much: it then loses one only to a far heavier mate.
const heldWeight = 8;

/**
 * Decides what each appliance holds (algorithms: fill planning, steps 2 and 3). Per cluster, greedy by popularity,
 * pinned bundles first: each bundle gets as many copies as its share of the cluster's demand needs boxes, at least
 * one; then, while there is room, each up to `copiesMin`, so that a box may fail. Weighted rendezvous on the bundle says which
 * boxes, so a box that comes or goes moves only its own share. Never more than a box's capacity less the reserve.
 * The same problem gives the same answer in whatever order its parts are listed.
 */
export function placeBundles(problem: PlacementProblem): PlacedAppliance[] {
  const clusters = new Map<string, Box[]>();
  for (const appliance of [...problem.appliances].sort((a, b) => compareText(a.id, b.id))) {
    const boxes = clusters.get(appliance.cluster) ?? [];
    boxes.push(openBox(appliance, problem.settings));
    clusters.set(appliance.cluster, boxes);
  }
  const wants = problem.bundles.map((bundle) => wantOf(bundle));
  for (const boxes of clusters.values()) placeInCluster(boxes, wants, problem.settings);
  return [...clusters.values()]
    .flat()
    .sort((a, b) => compareText(a.appliance.id, b.appliance.id))
    .map(closeBox);
}

interface Want {
  readonly bundle: PlacementBundle;
  readonly sizeBytes: number;
  /** Popularity × size: the bytes that viewers ask for. */
  readonly demand: number;
}

interface Box {
  readonly appliance: PlacementAppliance;
  readonly hash: HashPair;
  readonly usableBytes: number;
  plannedBytes: number;
  readonly bundles: Set<string>;
  readonly files: Map<string, { file: string; sizeBytes: number; bundle: string }>;
  readonly left: LeftOut[];
}

/** A bundle in one cluster's order of wanting. */
interface RankedWant extends Want {
  readonly worth: number;
  /** The cluster's boxes, best first for this bundle. */
  readonly order: readonly Box[];
}

function placeInCluster(boxes: readonly Box[], wants: readonly Want[], settings: PlacementSettings): void {
  const ranked = wants.map((want) => rankWant(want, boxes, settings)).sort(byWorth);
  const demandSum = wants.reduce((sum, want) => sum + want.demand, 0);
  for (const want of ranked) {
    const base = copiesByDemand(want.demand, { demandSum, boxCount: boxes.length });
    const copies = want.bundle.pinned ? Math.max(base, settings.copiesMin) : base;
    placeCopies(want, copies);
  }
  for (const want of ranked) placeCopies(want, settings.copiesMin);
  for (const want of ranked) recordLeft(want, settings);
}

/** Boxes that a bundle needs so that none carries more than its share of the demand: ⌈boxes × share⌉, at least 1. */
export function copiesByDemand(demand: number, cluster: { demandSum: number; boxCount: number }): number {
  if (cluster.demandSum <= 0) return 1;
  const exact = (cluster.boxCount * demand) / cluster.demandSum;
  // A share of exactly one box must not become two by a rounding error.
  return Math.min(cluster.boxCount, Math.max(1, Math.ceil(exact - 1e-9)));
}

function placeCopies(want: RankedWant, copies: number): void {
  const { bundle, order } = want;
  let placed = order.filter((box) => box.bundles.has(bundle.bundle)).length;
  for (const box of order) {
    if (placed >= copies) return;
    if (box.bundles.has(bundle.bundle) || neededBytes(box, bundle) > freeBytes(box)) continue;
    putBundle(box, bundle);
    placed++;
  }
}

function putBundle(box: Box, bundle: PlacementBundle): void {
  for (const { file, sizeBytes } of bundle.files) {
    if (box.files.has(file)) continue;
    box.files.set(file, { file, sizeBytes, bundle: bundle.bundle });
    box.plannedBytes += sizeBytes;
  }
  box.bundles.add(bundle.bundle);
}

// Two bundles may share a file (a poster, a silent track); it is stored once.
function neededBytes(box: Box, bundle: PlacementBundle): number {
  let bytes = 0;
  const counted = new Set<string>();
  for (const { file, sizeBytes } of bundle.files) {
    if (box.files.has(file) || counted.has(file)) continue;
    counted.add(file);
    bytes += sizeBytes;
  }
  return bytes;
}

function freeBytes(box: Box): number {
  return box.usableBytes - box.plannedBytes;
}

function recordLeft(want: RankedWant, settings: PlacementSettings): void {
  const name = want.bundle.bundle;
  const holders = want.order.filter((box) => box.bundles.has(name)).map((box) => box.appliance.id);
  for (const box of want.order) {
    if (box.bundles.has(name) || box.left.length >= settings.leftMax) continue;
    const needBytes = neededBytes(box, want.bundle);
    const free = freeBytes(box);
    box.left.push(
      holders.length > 0
        ? { bundle: name, kind: 'copies-elsewhere', holders }
        : { bundle: name, kind: 'no-room', needBytes, freeBytes: free },
    );
  }
}

function rankWant(want: Want, boxes: readonly Box[], settings: PlacementSettings): RankedWant {
  const key = hashText(want.bundle.bundle);
  let heldMost = 0;
  const scored = boxes.map((box) => {
    const held = heldFraction(box.appliance.held, want);
    heldMost = Math.max(heldMost, held);
    const weight = box.appliance.weight * (1 + (heldWeight - 1) * held);
    return { box, score: rendezvousScore({ hash: box.hash, weight }, key) };
  });
  // Boxes are listed by id, and sort is stable, so equal scores (weight 0) stay in the order of ids.
  scored.sort((a, b) => b.score - a.score);
  return {
    ...want,
    worth: want.bundle.popularity * (1 + settings.keepBonus * heldMost),
    order: scored.map(({ box }) => box),
  };
}

/** Share of the bundle's bytes that are held, 0 to 1. */
function heldFraction(held: ReadonlySet<string>, want: Want): number {
  if (held.size === 0 || want.sizeBytes === 0) return 0;
  let bytes = 0;
  for (const { file, sizeBytes } of want.bundle.files) if (held.has(file)) bytes += sizeBytes;
  return bytes / want.sizeBytes;
}

function byWorth(a: RankedWant, b: RankedWant): number {
  if (a.bundle.pinned !== b.bundle.pinned) return a.bundle.pinned ? -1 : 1;
  return b.worth - a.worth || compareText(a.bundle.bundle, b.bundle.bundle);
}

function wantOf(bundle: PlacementBundle): Want {
  const sizeBytes = bundle.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { bundle, sizeBytes, demand: bundle.popularity * sizeBytes };
}

function openBox(appliance: PlacementAppliance, settings: PlacementSettings): Box {
  const usableBytes = Math.floor(appliance.capacityBytes * (1 - settings.reserveFraction));
  const hash = hashText(appliance.id);
  return { appliance, hash, usableBytes, plannedBytes: 0, bundles: new Set(), files: new Map(), left: [] };
}

function closeBox(box: Box): PlacedAppliance {
  return {
    id: box.appliance.id,
    cluster: box.appliance.cluster,
    usableBytes: box.usableBytes,
    plannedBytes: box.plannedBytes,
    bundles: [...box.bundles],
    files: [...box.files.values()],
    left: box.left,
  };
}

// By code unit: the same on every machine, whatever its language.
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
