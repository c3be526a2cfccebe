import type { NodeChallenge } from '../../../common/contract/certificates.ts';
import type { Revocations, SteeringAppliance, SteeringMap } from '../../../common/contract/documents.ts';
import type { SteeringPeer } from '../../../common/contract/health.ts';
import type { MaintenanceWindow } from '../../../common/contract/maintenance.ts';
import type { HoldingsTable } from './holdings-matrix.ts';
import type { MapNode } from './ports.ts';

const reasonLengthMax = 200;
const reasonsMax = 16;
/** The line of a box of weight 1: 10 Gbit/s. */
const weightLineBytesPerSecond = 1.25e9;

/** The nodes that a map shows: those that have said where they are. */
export function shownNodes(nodes: readonly MapNode[]): MapNode[] {
  return nodes.filter((node) => node.url !== undefined && node.state !== 'revoked');
}

/** Builds the body of the steering map of nodes in the order of their ids. */
export function buildMap(parts: {
  nodes: readonly MapNode[];
  holdings: HoldingsTable;
  revocations: Revocations;
  steering: SteeringPeer[];
  maintenance: MaintenanceWindow[];
  challenges: NodeChallenge[];
}): SteeringMap {
  const { name, count } = parts.holdings;
  return {
    appliances: parts.nodes.map(applianceOf),
    holdings: { name, count },
    revocations: parts.revocations,
    steering: parts.steering,
    maintenance: parts.maintenance,
    ...(parts.challenges.length > 0 && { challenges: parts.challenges }),
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
    weight: weightOf(node),
    headroom: node.headroom,
    state,
    reasons: [...own, ...node.reasons].slice(0, reasonsMax).map((reason) => reason.slice(0, reasonLengthMax)),
    ...(node.routeTable !== undefined && { routeTable: node.routeTable }),
    ...(node.routeFeed && { routeFeed: true }),
    ...(node.mayFetch && { mayFetch: true }),
    ...(node.mayRedirect && { mayRedirect: true }),
  };
}

/** By its line it gets titles of its cluster, and bears viewers; one that does not know it is taken for a box of weight 1. */
function weightOf({ lineBytesPerSecond = 0 }: MapNode): number {
  return lineBytesPerSecond === 0 ? 1 : lineBytesPerSecond / weightLineBytesPerSecond;
}
