import type { NodeView } from '../../../common/contract/nodes.ts';
import type { ServedSummary } from '../../../common/contract/served.ts';
import type { LiveNode } from './live-node.ts';

// Steering and encoders do not report; they poll at least this often.
const pollMsMax = 60_000;

/** A node as operators see it. */
export function viewOf(
  node: LiveNode,
  extra: {
    wantedFiles: number;
    missingFiles: number;
    routeCount: number;
    served: ServedSummary | undefined;
    nowMs: number;
  },
): NodeView {
  const { identity } = node;
  const isServing = identity.role === 'appliance' || identity.role === 'origin';
  return {
    id: identity.id,
    role: identity.role,
    ...(isServing && { site: identity.site, cluster: identity.cluster }),
    ...(isServing || node.state === 'revoked' ? stateOf(node) : pollingState(node, extra.nowMs)),
    drainWanted: node.drainWanted,
    ...(node.url !== undefined && { url: node.url }),
    addresses: [...node.addresses],
    routeCount: extra.routeCount,
    capacityBytes: node.capacityBytes,
    usedBytes: node.usedBytes,
    headroom: node.headroom,
    liveRequests: node.liveRequests,
    ...(node.liveSessions !== undefined && { liveSessions: node.liveSessions }),
    ...(node.drainEtaMs !== undefined && { drainEtaMs: node.drainEtaMs }),
    heldFiles: node.held.size,
    wantedFiles: extra.wantedFiles,
    missingFiles: extra.missingFiles,
    reasons: [...node.reasons],
    ...(extra.served !== undefined && { served: extra.served }),
    ...(node.lastSeenMs !== undefined && { lastSeenMs: node.lastSeenMs }),
  };
}

type StateView = Pick<NodeView, 'state' | 'stateReason' | 'stateSinceMs'>;

function stateOf(node: LiveNode): StateView {
  return { state: node.state, stateReason: node.stateReason, stateSinceMs: node.stateSinceMs };
}

function pollingState(node: LiveNode, nowMs: number): StateView {
  const seenMs = node.lastSeenMs;
  if (seenMs === undefined) return { ...stateOf(node), stateReason: 'it has not called yet' };
  const silentMs = nowMs - seenMs;
  if (silentMs <= pollMsMax)
    return { state: 'ready', stateReason: 'it calls', stateSinceMs: node.stateSinceMs };
  return {
    state: 'lost',
    stateReason: `no call for ${String(Math.round(silentMs / 1000))} s`,
    stateSinceMs: seenMs,
  };
}
