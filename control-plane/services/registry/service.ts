import type { Records } from '../../../common/adapters/records/port.ts';
import { steeringNodesMax, type SteeringPeer } from '../../../common/contract/health.ts';
import type { Heartbeat, HeartbeatReply, NodeView } from '../../../common/contract/nodes.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, type CodedError } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createListeners } from '../listeners.ts';
import {
  applyHeartbeat,
  createLiveNode,
  drainReason,
  noChange,
  setState,
  type LiveNode,
  type NodeChange,
} from './live-node.ts';
import type { MaintenanceCalendar } from './maintenance.ts';
import type { FillProgress, NodeIdentities, RouteBook, ServedBy } from './ports.ts';
import { openNodeRecords, type NodeRecord } from './records.ts';
import { routeReasons } from './route-reasons.ts';
import { servingNodeOf, type ServingNode } from './serving-node.ts';
import { viewOf } from './view.ts';

export interface RegistryOptions {
  records: Records;
  identities: NodeIdentities;
  /** Asked at each call, so that it may be wired after the registry was made. */
  fill: () => FillProgress;
  revocationsSequence: () => number;
  served: ServedBy;
  routes: RouteBook;
  maintenance: Pick<MaintenanceCalendar, 'of' | 'onChange'>;
  /** Revokes the tokens that a node was given; called once it is revoked itself. */
  revokeTokens: (node: { id: string; enrolledAtMs: number }) => Promise<void>;
  clock: Clock;
  log: Log;
  /** A node that has not reported for so long is lost. */
  leaseMs: number;
}

/** Who is there, how they are, and what they hold. */
export interface Registry {
  /** Loads what earlier processes knew. */
  start(): Promise<void>;
  /** Ends leases until the signal is aborted. */
  watchLeases(signal: AbortSignal): Promise<void>;
  /** Takes a node's report and renews its lease. */
  heartbeat(nodeId: string, heartbeat: Heartbeat): Promise<HeartbeatReply>;
  /** Notes that a node has called, whatever it wanted. */
  touch(nodeId: string): void;
  /** Notes where a steering node is reached. Errors: FORBIDDEN for a node of another role. */
  announce(nodeId: string, url: string): Promise<void>;
  /** Steering nodes that are not revoked, in the order of their ids. */
  steering(): SteeringPeer[];
  /** Appliances and origins that are not revoked, in the order of their ids. */
  serving(): ServingNode[];
  /** One of them; undefined where there is none of this id. */
  servingNode(nodeId: string): ServingNode | undefined;
  /** Notes that a node's proof was refused for its times: its clock or ours is off. */
  noteClockRefused(nodeId: string): void;
  /** Those among them that an earlier process knew, and that have neither reported to this one nor had the time of two leases to do so. */
  awaited(): ServingNode[];
  /** Whether none is awaited. */
  settled(): boolean;
  views(): NodeView[];
  /** NODE_UNKNOWN where there is none. */
  view(nodeId: string): NodeView;
  setDrain(nodeId: string, drain: boolean): Promise<NodeView>;
  revoke(nodeId: string): Promise<void>;
  onChange(listener: (change: NodeChange) => void): () => void;
}

/** Makes the registry. Leases are in memory and run by the monotonic clock: a jump of wall time loses nobody. */
export function createRegistry(options: RegistryOptions): Registry {
  return new NodeRegistry(options);
}

class NodeRegistry implements Registry {
  readonly #options: RegistryOptions;
  readonly #nodes = new Map<string, LiveNode>();
  readonly #listeners = createListeners<NodeChange>();
  readonly #records: ReturnType<typeof openNodeRecords>;
  #startedMonotonicMs = 0;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#records = openNodeRecords(options.records);
    options.identities.onChange((id) => {
      this.#enrolmentChanged(id);
    });
    options.routes.onChange((id) => {
      this.#routesChanged(id);
    });
    options.maintenance.onChange(() => {
      this.#maintenanceChanged();
    });
  }

  async start(): Promise<void> {
    const { identities, clock } = this.#options;
    this.#startedMonotonicMs = clock.monotonicMs();
    for (const identity of identities.list()) {
      const record = await this.#records.get(identity.id);
      const node = createLiveNode(identity, record?.value, this.#now());
      node.routeReasons = routeReasons(this.#options.routes.of(identity.id)?.refused ?? []);
      this.#nodes.set(identity.id, node);
    }
  }

  async watchLeases(signal: AbortSignal): Promise<void> {
    const { clock, leaseMs, log } = this.#options;
    const tickMs = Math.min(500, Math.max(20, leaseMs / 10));
    let lastMs = clock.monotonicMs();
    for (;;) {
      await clock.sleep(tickMs, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const nowMs = clock.monotonicMs();
      const lateMs = nowMs - lastMs - tickMs;
      lastMs = nowMs;
      if (lateMs <= leaseMs / 2) {
        this.#endLeases(nowMs);
        continue;
      }
      // This process stood still, so reports may be waiting in its sockets: nobody is lost for that.
      this.#extendLeases(lateMs);
      log.warn({ lateMs: Math.round(lateMs) }, 'the process stood still; leases extended');
    }
  }

  async heartbeat(nodeId: string, heartbeat: Heartbeat): Promise<HeartbeatReply> {
    const { clock, leaseMs, fill, revocationsSequence, routes } = this.#options;
    const node = this.#serving(nodeId);
    if (heartbeat.routes !== undefined) await routes.list(nodeId, heartbeat.routes);
    const before = factsOf(node);
    node.maintenance = this.#options.maintenance.of(node.identity);
    const change = applyHeartbeat(node, heartbeat, clock.nowMs());
    node.leaseEndMonotonicMs = clock.monotonicMs() + leaseMs;
    this.#tell(change);
    if (before !== factsOf(node)) await this.#save(node);
    const told = routes.of(nodeId)?.told;
    return {
      leaseMs,
      nowMs: clock.nowMs(),
      fillManifestSequence: fill().manifestSequence(nodeId),
      revocationsSequence: revocationsSequence(),
      fullWanted: !node.synced,
      drainWanted: drainReason(node) !== undefined,
      steering: this.steering().flatMap(({ id, url }) => (url === undefined ? [] : [{ id, url }])),
      ...(told !== undefined && { routeTable: told }),
    };
  }

  touch(nodeId: string): void {
    const node = this.#nodes.get(nodeId);
    if (node !== undefined) node.lastSeenMs = this.#options.clock.nowMs();
  }

  async announce(nodeId: string, url: string): Promise<void> {
    const node = this.#node(nodeId);
    const { role } = node.identity;
    if (role !== 'steering') throw coded('FORBIDDEN', `${nodeId} is enrolled as ${role}`);
    if (!URL.canParse(url)) throw coded('INVALID', `${url} is no URL`);
    if (node.url === url) return;
    await this.#records.put(nodeId, { ...recordOf(node), steeringUrl: url });
    node.url = url;
    this.#tell({ ...noChange(node), steering: true });
  }

  steering(): SteeringPeer[] {
    const nodes = [...this.#nodes.values()].filter(
      ({ identity, state }) => identity.role === 'steering' && state !== 'revoked',
    );
    const peers = nodes.map(({ identity: { id, publicJwk: key }, url }) => ({
      id,
      key,
      ...(url !== undefined && { url }),
    }));
    return peers.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, steeringNodesMax);
  }

  serving(): ServingNode[] {
    const nowMs = this.#options.clock.monotonicMs();
    const serving = [...this.#nodes.values()].flatMap((node) => this.#servingNodeOf(node, nowMs) ?? []);
    return serving.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  awaited(): ServingNode[] {
    const nowMs = this.#options.clock.monotonicMs();
    return this.#awaited().flatMap((node) => this.#servingNodeOf(node, nowMs) ?? []);
  }

  servingNode(nodeId: string): ServingNode | undefined {
    const node = this.#nodes.get(nodeId);
    return node && this.#servingNodeOf(node, this.#options.clock.monotonicMs());
  }

  noteClockRefused(nodeId: string): void {
    const node = this.#nodes.get(nodeId);
    if (node === undefined || node.reasons.some((reason) => reason.startsWith('CLOCK_SKEW'))) return;
    const reason =
      'CLOCK_SKEW: its reports are refused, its clock or this one is off by more than 30 s; set both by NTP';
    node.reasons = [reason, ...node.reasons].slice(0, 16);
    this.#tell({ ...noChange(node), steering: true });
  }

  settled(): boolean {
    return this.#awaited().length === 0;
  }

  views(): NodeView[] {
    const nodes = [...this.#nodes.values()].sort((a, b) => (a.identity.id < b.identity.id ? -1 : 1));
    return nodes.map((node) => this.#view(node));
  }

  view(nodeId: string): NodeView {
    return this.#view(this.#node(nodeId));
  }

  async setDrain(nodeId: string, drain: boolean): Promise<NodeView> {
    const node = this.#serving(nodeId);
    await this.#records.put(nodeId, { ...recordOf(node), drainWanted: drain });
    node.drainWanted = drain;
    // The box follows with its next report; steering need not wait for that.
    if (drain && node.state === 'ready') {
      setState(node, 'draining', { reason: 'drained by an operator', nowMs: this.#options.clock.nowMs() });
      this.#tell({ ...noChange(node), steering: true });
    }
    return this.#view(node);
  }

  async revoke(nodeId: string): Promise<void> {
    const { identity } = this.#node(nodeId);
    await this.#options.identities.revoke(nodeId);
    await this.#options.revokeTokens(identity);
  }

  onChange(listener: (change: NodeChange) => void): () => void {
    return this.#listeners.add(listener);
  }

  #enrolmentChanged(id: string): void {
    const identity = this.#options.identities.get(id);
    if (identity === undefined) return;
    const known = this.#nodes.get(id);
    const drainWanted = known?.drainWanted ?? false;
    this.#nodes.set(id, createLiveNode(identity, { drainWanted }, this.#now()));
    this.#tell({ nodeId: id, steering: true, holdings: true, placement: true });
  }

  #routesChanged(id: string): void {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    node.routeReasons = routeReasons(this.#options.routes.of(id)?.refused ?? []);
    this.#tell({ ...noChange(node), steering: true });
  }

  /** Boxes follow with their next report; the map need not wait for that. */
  #maintenanceChanged(): void {
    for (const node of this.#nodes.values()) {
      node.maintenance = this.#options.maintenance.of(node.identity);
      const reason = drainReason(node);
      if (reason === undefined || node.state !== 'ready') continue;
      setState(node, 'draining', { reason, nowMs: this.#options.clock.nowMs() });
      this.#tell({ ...noChange(node), steering: true });
    }
  }

  #endLeases(nowMonotonicMs: number): void {
    const { clock, leaseMs, log } = this.#options;
    for (const node of this.#nodes.values()) {
      const endMs = node.leaseEndMonotonicMs;
      if (endMs === undefined || endMs > nowMonotonicMs) continue;
      const silentMs = nowMonotonicMs - endMs + leaseMs;
      const reason = `no report for ${(silentMs / 1000).toFixed(1)} s (lease ${String(leaseMs / 1000)} s)`;
      node.leaseEndMonotonicMs = undefined;
      node.lostSinceMonotonicMs = nowMonotonicMs;
      setState(node, 'lost', { reason, nowMs: clock.nowMs() });
      log.warn({ node: node.identity.id, reason }, 'node lost');
      this.#tell({ ...noChange(node), steering: true });
    }
  }

  #extendLeases(byMs: number): void {
    for (const node of this.#nodes.values()) {
      if (node.leaseEndMonotonicMs !== undefined) node.leaseEndMonotonicMs += byMs;
    }
  }

  #tell(change: NodeChange): void {
    if (change.steering || change.holdings || change.placement) this.#listeners.tell(change);
  }

  #view(node: LiveNode): NodeView {
    const counts = this.#options.fill().counts(node.identity.id);
    const served = this.#options.served(node.identity.id);
    const { ipv4 = 0, ipv6 = 0 } = this.#options.routes.of(node.identity.id) ?? {};
    return viewOf(node, { ...counts, routeCount: ipv4 + ipv6, served, nowMs: this.#options.clock.nowMs() });
  }

  #node(nodeId: string): LiveNode {
    const node = this.#nodes.get(nodeId);
    if (node === undefined) throw unknownNode(nodeId);
    return node;
  }

  #awaited(): LiveNode[] {
    const { clock, leaseMs } = this.#options;
    if (clock.monotonicMs() - this.#startedMonotonicMs > 2 * leaseMs) return [];
    return [...this.#nodes.values()].filter(
      (node) => node.state === 'lost' && node.incarnation === undefined,
    );
  }

  #serving(nodeId: string): LiveNode {
    const node = this.#node(nodeId);
    const { role } = node.identity;
    if (node.state === 'revoked') throw coded('NODE_REVOKED', nodeId);
    if (role === 'appliance' || role === 'origin') return node;
    throw coded('FORBIDDEN', `${nodeId} is enrolled as ${role}; only appliances and origins do this`);
  }

  #servingNodeOf(node: LiveNode, nowMs: number): ServingNode | undefined {
    const { routes } = this.#options;
    const { id } = node.identity;
    return servingNodeOf(node, { table: routes.used(id), hadSome: routes.hadSome(id) }, nowMs);
  }

  #now(): { wall: number; monotonic: number } {
    return { wall: this.#options.clock.nowMs(), monotonic: this.#options.clock.monotonicMs() };
  }

  async #save(node: LiveNode): Promise<void> {
    await this.#records.put(node.identity.id, recordOf(node));
  }
}

function recordOf(node: LiveNode): NodeRecord {
  const { url, place, routeFeed, lastSeenMs } = node;
  if (node.identity.role === 'steering' && url !== undefined)
    return { drainWanted: node.drainWanted, steeringUrl: url };
  if (url === undefined || lastSeenMs === undefined) return { drainWanted: node.drainWanted };
  return {
    drainWanted: node.drainWanted,
    facts: {
      url,
      addresses: [...node.addresses],
      ...(place !== undefined && { place }),
      ...(routeFeed !== undefined && { routeFeed }),
      capacityBytes: node.capacityBytes,
      lastSeenMs,
    },
  };
}

/** The part of the record that is worth a write when it changes; the time of the last report alone is not. */
function factsOf(node: LiveNode): string {
  return JSON.stringify([node.url, node.addresses, node.place, node.routeFeed, node.capacityBytes]);
}

/** What is said of a node that is not there, or that the caller may not see. */
export function unknownNode(id: string): CodedError {
  return coded('NODE_UNKNOWN', `${id}; \`nearcast appliance list\` shows the names`);
}
