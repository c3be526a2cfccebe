import type { FillPlanView } from '../../../common/contract/fill.ts';
import type { LeftOut, PlacedFile } from '../../core/placement.ts';
import type { AppliancePlan, FillPlan } from './plan.ts';
import type { FillBundle, FillNode } from './ports.ts';

type ApplianceView = FillPlanView['appliances'][number];

/** What a plan would change on each appliance, with the reasons. */
export function viewPlan(plan: FillPlan, nodes: readonly FillNode[]): FillPlanView {
  const titles = titlesByFile(plan);
  const appliances = nodes
    .filter((node) => node.role === 'appliance')
    .map((node) => viewAppliance(node, { plan, titles }));
  return { appliances };
}

function viewAppliance(
  node: FillNode,
  { plan, titles }: { plan: FillPlan; titles: ReadonlyMap<string, FillBundle> },
): ApplianceView {
  const own = plan.appliances.get(node.id);
  const files = own?.files ?? new Map<string, never>();
  const title = (file: string): string => titles.get(file)?.name ?? 'of no title';
  const adds: ApplianceView['adds'] = [];
  for (const placed of own?.placed.files ?? []) {
    if (node.held.has(placed.file)) continue;
    const { file, sizeBytes, bundle } = placed;
    const why = whyWanted(placed, { plan, cluster: node.cluster });
    adds.push({ file, title: plan.bundles.get(bundle)?.name ?? 'unknown', sizeBytes, why });
  }
  const deletes: ApplianceView['deletes'] = [];
  let keeps = 0;
  for (const file of node.held) {
    if (files.has(file)) keeps++;
    else deletes.push({ file, title: title(file), sizeBytes: sizeOf(file, titles) });
  }
  return {
    ...{ id: node.id, site: node.site, cluster: node.cluster, capacityBytes: node.capacityBytes },
    ...{ plannedBytes: own?.placed.plannedBytes ?? 0, adds, deletes, keeps },
    left: own === undefined ? notPlanned(node, plan) : viewLeft(own, plan),
  };
}

/** Why an appliance is to hold a file, in words. */
function whyWanted(
  { file, why, popularity }: PlacedFile,
  { plan, cluster }: { plan: FillPlan; cluster: string },
): string {
  let copies = 0;
  for (const { placed, files } of plan.appliances.values()) {
    if (placed.cluster === cluster && files.has(file)) copies++;
  }
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
    case 'too-large':
      return `it is larger than the ${String(left.usableBytes)} bytes that the appliance may hold`;
    case 'churn-budget':
      return `${String(left.needBytes)} bytes would be added and ${String(left.budgetLeftBytes)} are left of the day's churn budget`;
    case 'no-room':
      return `it needs ${String(left.needBytes)} bytes and ${String(left.freeBytes)} are left for it after more popular titles`;
  }
}

// Nothing is planned for a box of which nothing is known, or that has been gone for long.
function notPlanned(node: FillNode, plan: FillPlan): ApplianceView['left'] {
  const why = node.capacityBytes === 0 ? 'the appliance has not reported its capacity yet' : node.stateReason;
  return [...plan.bundles.values()].map((bundle) => ({
    title: bundle.name,
    sizeBytes: sizeOfBundle(bundle),
    why,
  }));
}

function titlesByFile(plan: FillPlan): Map<string, FillBundle> {
  const titles = new Map<string, FillBundle>();
  for (const bundle of plan.bundles.values()) for (const { file } of bundle.files) titles.set(file, bundle);
  return titles;
}

function sizeOf(file: string, titles: ReadonlyMap<string, FillBundle>): number {
  return titles.get(file)?.files.find((one) => one.file === file)?.sizeBytes ?? 0;
}

function sizeOfBundle(bundle: FillBundle | undefined): number {
  return (bundle?.files ?? []).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
