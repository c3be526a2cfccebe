import type { Revocations, SteeringAppliance, SteeringMap } from '../../../common/contract/documents.ts';
import type { SteeringPeer } from '../../../common/contract/health.ts';
import type { MaintenanceWindow } from '../../../common/contract/maintenance.ts';
import type { MapBundle, MapNode } from './ports.ts';

const titleLengthMax = 200;
const reasonLengthMax = 200;
const reasonsMax = 16;

/** Answers whether a node holds every file of a bundle. */
export type HoldsBundle = (node: MapNode, bundle: MapBundle) => boolean;

/**
 * Builds the body of the steering map: nodes that have said where they are, in the order of their ids, and who of them
 * holds which bundle whole. An origin reads through to the blobs and so holds every published one (ADR 9).
 */
export function buildMap(
  parts: {
    nodes: readonly MapNode[];
    bundles: readonly MapBundle[];
    revocations: Revocations;
    steering: SteeringPeer[];
    maintenance: MaintenanceWindow[];
  },
  holds: HoldsBundle,
): SteeringMap {
  const nodes = parts.nodes.filter((node) => node.url !== undefined && node.state !== 'revoked');
  const bundles = [...parts.bundles].sort((a, b) => (a.bundle < b.bundle ? -1 : 1));
  return {
    appliances: nodes.map(applianceOf),
    bundles: bundles.map((bundle) => ({
      bundle: bundle.bundle,
      title: bundle.name.slice(0, titleLengthMax),
      titleId: bundle.titleId,
      holders: nodes.flatMap((node, index) => (node.role === 'origin' || holds(node, bundle) ? [index] : [])),
    })),
    revocations: parts.revocations,
    steering: parts.steering,
    maintenance: parts.maintenance,
  };
}

function applianceOf(node: MapNode): SteeringAppliance {
  const state = node.state === 'ready' || node.state === 'draining' ? node.state : 'lost';
  const own = state === 'ready' ? [] : [`${state.toUpperCase()}: ${node.stateReason}`];
  return {
    id: node.id,
    role: node.role,
    site: node.site,
    cluster: node.cluster,
    url: node.url ?? '',
    key: node.key,
    addresses: [...node.addresses],
    ...(node.place !== undefined && { place: node.place }),
    weight: 1,
    headroom: node.headroom,
    state,
    reasons: [...own, ...node.reasons].slice(0, reasonsMax).map((reason) => reason.slice(0, reasonLengthMax)),
    routes: [...node.routes],
  };
}

/** Remembers who holds what until a node's holdings change: most maps differ from the one before by one node. */
export function createHoldsCache(): HoldsBundle & { forget(known: ReadonlySet<string>): void } {
  const byNode = new Map<string, { holdingsVersion: number; bundles: Map<string, boolean> }>();
  const holds = (node: MapNode, { bundle, files }: MapBundle): boolean => {
    let known = byNode.get(node.id);
    if (known?.holdingsVersion !== node.holdingsVersion) {
      known = { holdingsVersion: node.holdingsVersion, bundles: new Map() };
      byNode.set(node.id, known);
    }
    const cached = known.bundles.get(bundle);
    if (cached !== undefined) return cached;
    const whole = files.every(({ file }) => node.held.has(file));
    known.bundles.set(bundle, whole);
    return whole;
  };
  const forget = (known: ReadonlySet<string>): void => {
    for (const id of byNode.keys()) if (!known.has(id)) byNode.delete(id);
  };
  return Object.assign(holds, { forget });
}
