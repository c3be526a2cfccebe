import type { FillPlanView } from '../../../common/contract/fill.ts';
import type { LeftOut, PlacedFile } from '../../core/placement.ts';
import { createForetelling, createLinkSums, foretellHit, type LinkSums } from './foretell.ts';
import type { AppliancePlan, FillPlan } from './plan.ts';
import type { FillBundle, FillNode } from './ports.ts';
import type { SiteDemand } from './site-demand.ts';
import type { FillSites } from './sites.ts';

type ApplianceView = FillPlanView['appliances'][number];

const listMax = 1000;

type TitlesByFile = ReadonlyMap<string, { readonly name: string; readonly sizeBytes: number }>;

interface PlanContext {
  readonly plan: FillPlan;
  readonly titles: TitlesByFile;
  readonly foretell: ReturnType<typeof createForetelling>;
  readonly links: LinkSums;
}

/** What a plan would change on the appliances of a site, or on all, with the reasons, and what that costs and gains. */
export function viewPlan(
  plan: FillPlan,
  options: {
    nodes: readonly FillNode[];
    demand: SiteDemand;
    site: string | undefined;
    linkCap: FillSites['linkCap'];
  },
): FillPlanView {
  const { nodes, demand, site, linkCap } = options;
  const titles = titlesByFile(plan);
  const links = createLinkSums(linkCap);
  const context = { plan, titles, links, foretell: createForetelling(plan, nodes) };
  const shown = nodes.filter(
    (node) => node.role === 'appliance' && (site === undefined || node.site === site),
  );
  const appliances = shown.map((node) => viewAppliance(node, context));
  const hit = foretellHit(plan, shown, demand);
  const sum = (bytesOf: (view: ApplianceView) => number): number =>
    appliances.reduce((total, view) => total + bytesOf(view), 0);
  return {
    appliances,
    links: links.view(),
    churn: {
      addBytes: sum(({ addBytes }) => addBytes),
      deleteBytes: sum(({ deleteBytes }) => deleteBytes),
      heldBytes: shown.reduce((total, { held }) => total + sizeOfFiles(held, titles), 0),
    },
    ...(hit !== undefined && { hit }),
  };
}

function viewAppliance(node: FillNode, context: PlanContext): ApplianceView {
  const { plan, titles } = context;
  const own = plan.appliances.get(node.id);
  const missing = (own?.placed.files ?? []).filter(({ file }) => !node.held.has(file));
  const gone = [...node.held].filter((file) => own?.files.has(file) !== true);
  return {
    ...{ id: node.id, site: node.site, cluster: node.cluster, capacityBytes: node.capacityBytes },
    plannedBytes: own?.placed.plannedBytes ?? 0,
    addFiles: missing.length,
    addBytes: missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    adds: viewAdds(node, missing, context),
    deleteFiles: gone.length,
    deleteBytes: sizeOfFiles(gone, titles),
    deletes: gone.slice(0, listMax).map((file) => {
      const { name = 'of no title', sizeBytes = 0 } = titles.get(file) ?? {};
      return { file, title: name, sizeBytes };
    }),
    keeps: node.held.size - gone.length,
    left: own === undefined ? notPlanned(node, plan) : viewLeft(own, plan),
  };
}

function viewAdds(
  node: FillNode,
  missing: readonly PlacedFile[],
  { plan, foretell, links }: PlanContext,
): ApplianceView['adds'] {
  const adds: ApplianceView['adds'] = [];
  const mates = matesOf(node, plan);
  for (const wanted of missing) {
    const source = foretell(node, wanted);
    if (source !== undefined) links.add(source, node, wanted.sizeBytes);
    if (adds.length >= listMax) continue;
    adds.push({
      ...{ file: wanted.file, title: plan.bundles.get(wanted.bundle)?.name ?? 'unknown' },
      ...{ sizeBytes: wanted.sizeBytes, why: whyWanted(wanted, mates) },
      ...(source !== undefined && { from: { kind: source.kind, node: source.node.id } }),
    });
  }
  return adds;
}

/** The plans of a node's cluster, its own included. */
export function matesOf({ cluster }: FillNode, plan: FillPlan): AppliancePlan[] {
  return [...plan.appliances.values()].filter(({ placed }) => placed.cluster === cluster);
}

/** Why an appliance is to hold a file, in words. */
export function whyWanted({ file, why, popularity }: PlacedFile, mates: readonly AppliancePlan[]): string {
  const copies = mates.filter(({ files }) => files.has(file)).length;
  const cluster = mates[0]?.placed.cluster ?? '';
  const first = why === 'pinned' || why === 'urgent' ? why : `popularity ${popularity.toFixed(2)}`;
  return `${first}; ${String(copies)} ${copies === 1 ? 'copy' : 'copies'} in cluster ${cluster}`;
}

function viewLeft(own: AppliancePlan, plan: FillPlan): ApplianceView['left'] {
  return own.placed.left.map((left) => ({
    title: plan.bundles.get(left.bundle)?.name ?? 'unknown',
    sizeBytes: sizeOfBundle(plan.bundles.get(left.bundle)),
    why: whyLeft(left),
  }));
}

/** Why a bundle is not on an appliance, in words. */
export function whyLeft(left: LeftOut): string {
  switch (left.kind) {
    case 'copies-elsewhere':
      return `the cluster's copies are on ${left.holders.join(', ')}`;
    case 'in-part':
      return `${String(left.plannedBytes)} bytes of it are planned, the renditions that are played most; for the other ${String(left.needBytes)} viewers are led on`;
    case 'too-large':
      return `it is larger than the ${String(left.usableBytes)} bytes that the appliance may hold`;
    case 'churn-budget':
      return `${String(left.needBytes)} bytes would be added and ${String(left.budgetLeftBytes)} are left of the day's churn budget`;
    case 'no-room':
      return `it needs ${String(left.needBytes)} bytes and ${String(left.freeBytes)} are left for it after more popular titles`;
  }
}

/** Why nothing is planned for a box: nothing is known of it, or it has been gone for long. */
export function whyNotPlanned(node: FillNode): string {
  return node.capacityBytes === 0 ? 'the appliance has not reported its capacity yet' : node.stateReason;
}

function notPlanned(node: FillNode, plan: FillPlan): ApplianceView['left'] {
  const why = whyNotPlanned(node);
  return [...plan.bundles.values()].slice(0, listMax).map((bundle) => ({
    title: bundle.name,
    sizeBytes: sizeOfBundle(bundle),
    why,
  }));
}

function titlesByFile(plan: FillPlan): TitlesByFile {
  const titles = new Map<string, { name: string; sizeBytes: number }>();
  for (const { name, files } of plan.bundles.values()) {
    for (const { file, sizeBytes } of files) titles.set(file, { name, sizeBytes });
  }
  return titles;
}

function sizeOfFiles(files: Iterable<string>, titles: TitlesByFile): number {
  let bytes = 0;
  for (const file of files) bytes += titles.get(file)?.sizeBytes ?? 0;
  return bytes;
}

function sizeOfBundle(bundle: FillBundle | undefined): number {
  return (bundle?.files ?? []).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
