import type { Place } from '../../../common/contract/documents.ts';
import type { MaintenanceWindow } from '../../../common/contract/maintenance.ts';
import type { Heartbeat } from '../../../common/contract/nodes.ts';
import { describeMaintenance } from '../../../common/core/maintenance.ts';
import type { NodeIdentity } from './ports.ts';
import type { NodeRecord } from './records.ts';

/** Clocks further apart than this make a node unwell (ADR 6). */
export const clockSkewMsMax = 30_000;

// Headroom moves with every request; the map follows only steps that could change a decision.
const headroomStep = 0.1;

export type LiveState = 'enrolled' | 'ready' | 'draining' | 'lost' | 'revoked';

/** What changed by a report, so that those who follow do not plan for nothing. */
export interface NodeChange {
  readonly nodeId: string;
  /** Health, address, routes or published headroom: what steering decides by. */
  readonly steering: boolean;
  /** Holdings. */
  readonly holdings: boolean;
  /** Existence, capacity, address, what becomes of misses: what placement decides by. */
  readonly placement: boolean;
}

/** All that is known of one node now. Only the registry writes it. */
export interface LiveNode {
  identity: NodeIdentity;
  drainWanted: boolean;
  /** For which it is led out of service now. */
  maintenance: MaintenanceWindow | undefined;
  state: LiveState;
  stateReason: string;
  stateSinceMs: number;
  /** Since when it has been lost, by the monotonic clock; undefined while it is not. */
  lostSinceMonotonicMs: number | undefined;
  leaseEndMonotonicMs: number | undefined;
  incarnation: string | undefined;
  sequence: number;
  url: string | undefined;
  addresses: readonly string[];
  place: Place | undefined;
  /** Whether it learns routes; undefined where it has not said. */
  routeFeed: boolean | undefined;
  /** What is wrong with its routes. */
  routeReasons: readonly string[];
  capacityBytes: number;
  usedBytes: number;
  lineBytesPerSecond: number | undefined;
  /** It fetches what it does not hold. */
  mayFetch: boolean;
  /** It leads viewers on to who holds what it does not. */
  mayRedirect: boolean;
  headroom: number;
  /** The headroom that the steering map shows. */
  headroomPublished: number;
  liveRequests: number;
  liveSessions: number | undefined;
  drainEtaMs: number | undefined;
  held: Set<string>;
  /** Grows with every change of `held`. */
  holdingsVersion: number;
  /** Whether `held` is all of it: a full report of this incarnation has come. */
  synced: boolean;
  reasons: readonly string[];
  lastSeenMs: number | undefined;
}

/** A node that has not reported to this process; `record` is what an earlier one knew. */
export function createLiveNode(
  identity: NodeIdentity,
  record: NodeRecord | undefined,
  nowMs: { wall: number; monotonic: number },
): LiveNode {
  const facts = record?.facts;
  const node: LiveNode = {
    identity,
    drainWanted: record?.drainWanted ?? false,
    maintenance: undefined,
    state: 'enrolled',
    stateReason: 'it has not reported yet',
    stateSinceMs: identity.enrolledAtMs,
    lostSinceMonotonicMs: undefined,
    leaseEndMonotonicMs: undefined,
    incarnation: undefined,
    sequence: -1,
    url: facts?.url ?? record?.steeringUrl,
    addresses: facts?.addresses ?? [],
    place: facts?.place,
    routeFeed: facts?.routeFeed,
    routeReasons: [],
    capacityBytes: facts?.capacityBytes ?? 0,
    usedBytes: 0,
    lineBytesPerSecond: undefined,
    mayFetch: false,
    mayRedirect: false,
    headroom: 0,
    headroomPublished: 0,
    liveRequests: 0,
    liveSessions: undefined,
    drainEtaMs: undefined,
    held: new Set(),
    holdingsVersion: 0,
    synced: false,
    reasons: [],
    lastSeenMs: facts?.lastSeenMs,
  };
  if (identity.revokedAtMs !== undefined) {
    setState(node, 'revoked', { reason: 'an operator revoked it', nowMs: identity.revokedAtMs });
  } else if (facts !== undefined) {
    setState(node, 'lost', {
      reason: 'it has not reported since the control plane started',
      nowMs: nowMs.wall,
    });
    node.lostSinceMonotonicMs = nowMs.monotonic;
  }
  return node;
}

/** Changes the state; the same state with another reason keeps its time. */
export function setState(node: LiveNode, state: LiveState, why: { reason: string; nowMs: number }): boolean {
  const changed = node.state !== state;
  if (changed) node.stateSinceMs = why.nowMs;
  node.state = state;
  node.stateReason = why.reason;
  return changed;
}

/**
 * Takes a report over into what is known. A report of an earlier sequence of the same incarnation (it overtook, or was sent
 * twice) only shows that the node lives.
 */
export function applyHeartbeat(node: LiveNode, heartbeat: Heartbeat, nowMs: number): NodeChange {
  const isNew = node.incarnation !== heartbeat.incarnation;
  node.lastSeenMs = nowMs;
  if (!isNew && heartbeat.sequence <= node.sequence) return noChange(node);
  if (isNew) startIncarnation(node, heartbeat);
  node.sequence = heartbeat.sequence;
  node.usedBytes = heartbeat.usedBytes;
  node.liveRequests = heartbeat.liveRequests;
  node.liveSessions = heartbeat.liveSessions;
  node.drainEtaMs = heartbeat.drainEtaMs;
  const holdings = applyHoldings(node, heartbeat.holdings);
  const facts = applyFacts(node, heartbeat);
  const health = applyHealth(node, heartbeat, nowMs);
  const headroom = applyHeadroom(node, heartbeat.headroom);
  return {
    nodeId: node.identity.id,
    holdings,
    placement: facts.placement,
    steering: facts.steering || health || headroom,
  };
}

/** Says that nothing that others follow has changed. */
export function noChange(node: LiveNode): NodeChange {
  return { nodeId: node.identity.id, steering: false, holdings: false, placement: false };
}

function startIncarnation(node: LiveNode, heartbeat: Heartbeat): void {
  node.incarnation = heartbeat.incarnation;
  node.sequence = -1;
  // What is known of its holdings stays until the full report replaces it: blobs survive a restart.
  node.synced = false;
}

function applyHoldings(node: LiveNode, holdings: Heartbeat['holdings']): boolean {
  if (holdings.full) {
    const next = new Set(holdings.added);
    const changed = next.symmetricDifference(node.held).size > 0;
    node.synced = true;
    if (changed) node.held = next;
    if (changed) node.holdingsVersion++;
    return changed;
  }
  // A change of something that is not known says nothing; a full report was asked for.
  if (!node.synced) return false;
  let changed = false;
  for (const file of holdings.removed) changed = node.held.delete(file) || changed;
  for (const file of holdings.added) {
    if (node.held.has(file)) continue;
    node.held.add(file);
    changed = true;
  }
  if (changed) node.holdingsVersion++;
  return changed;
}

function applyFacts(node: LiveNode, heartbeat: Heartbeat): { placement: boolean; steering: boolean } {
  const moved = node.url !== heartbeat.url || !sameJson(node.addresses, heartbeat.addresses);
  const { mayFetch = false, mayRedirect = false } = heartbeat;
  const missesAnew = node.mayFetch !== mayFetch || node.mayRedirect !== mayRedirect;
  node.mayFetch = mayFetch;
  node.mayRedirect = mayRedirect;
  const placed = !sameJson(node.place, heartbeat.place);
  const { capacityBytes, lineBytesPerSecond } = heartbeat;
  const relined = node.lineBytesPerSecond !== lineBytesPerSecond;
  const fedAnew = node.routeFeed !== heartbeat.routeFeed;
  const grown = relined || node.capacityBytes !== capacityBytes;
  node.url = heartbeat.url;
  node.addresses = heartbeat.addresses;
  node.place = heartbeat.place;
  node.routeFeed = heartbeat.routeFeed;
  node.capacityBytes = capacityBytes;
  node.lineBytesPerSecond = lineBytesPerSecond;
  return {
    placement: moved || grown || missesAnew,
    steering: moved || placed || missesAnew || relined || fedAnew,
  };
}

function applyHealth(node: LiveNode, heartbeat: Heartbeat, nowMs: number): boolean {
  const skewMs = heartbeat.sentAtMs - nowMs;
  const skew = Math.abs(skewMs) > clockSkewMsMax ? [skewReason(skewMs)] : [];
  const reasons = [...heartbeat.reasons, ...skew, ...node.routeReasons].slice(0, 16);
  // How far the clock is off changes with every report; that it is off does not.
  const changed = !sameJson(reasons.map(codeOf), node.reasons.map(codeOf));
  node.reasons = reasons;
  const returned = node.state === 'lost' || node.state === 'enrolled';
  const wanted = drainReason(node);
  const draining = wanted !== undefined || heartbeat.state === 'draining';
  const reason = wanted ?? 'the node is shutting down or drains itself';
  const stateChanged = draining
    ? setState(node, 'draining', { reason, nowMs })
    : setState(node, 'ready', { reason: returned ? 'it reports' : node.stateReason, nowMs });
  if (stateChanged && !draining) node.stateReason = 'it reports';
  node.lostSinceMonotonicMs = undefined;
  return changed || stateChanged;
}

/** Why it is to be drained, if it is. */
export function drainReason({ drainWanted, maintenance }: LiveNode): string | undefined {
  if (drainWanted) return 'drained by an operator';
  return maintenance && describeMaintenance(maintenance);
}

function skewReason(skewMs: number): string {
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  return `CLOCK_SKEW: its clock is ${String(seconds)} s ${skewMs > 0 ? 'ahead' : 'behind'}; set it by NTP`;
}

function codeOf(reason: string): string {
  return reason.split(':', 1)[0] ?? reason;
}

function applyHeadroom(node: LiveNode, headroom: number): boolean {
  node.headroom = headroom;
  const ends = (headroom === 0) !== (node.headroomPublished === 0);
  if (!ends && Math.abs(headroom - node.headroomPublished) < headroomStep) return false;
  node.headroomPublished = headroom;
  return true;
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
