import type { PathwayHealth, PeerStatus, Sight, SteeringPeer } from '../../common/contract/health.ts';
import type { MaintenanceWindow } from '../../common/contract/maintenance.ts';
import { nextMaintenanceMs } from '../../common/core/maintenance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { NodeHealth } from '../core/health.ts';
import { castView, VoteBook, type BoxEvidence } from '../core/own-view.ts';
import { Quorum, type Merged } from '../core/quorum.ts';
import { judgeSight } from '../core/sight.ts';
import type { BoxStreams } from './box-streams.ts';
import { HealthBoard, type HealthChange } from './health-board.ts';
import { pathwayHealth } from './pathway-health.ts';
import type { Peers } from './peers.ts';
import type { Prober, Target } from './prober.ts';

/** What the monitor takes from the map. */
export interface MonitoredMap {
  readonly sequence: number;
  readonly appliances: readonly (Target & { readonly site: string })[];
  readonly steering: readonly SteeringPeer[];
  readonly maintenance: readonly MaintenanceWindow[];
}

/** The parts that tell the monitor of changes; each is made with the monitor's `changed` and `doubt`. */
export interface MonitorParts {
  readonly prober: Prober;
  readonly streams: BoxStreams;
  readonly peers: Peers;
}

export interface MonitorOptions {
  /** This node's id. */
  readonly node: string;
  readonly clock: Clock;
  /** See `holdLastGood`. */
  readonly holdWindowMs: number;
  readonly onChange: (change: HealthChange) => void;
  readonly onSight: (sight: Sight) => void;
  /** What is to be believed of some box may be something else now, if only its headroom. */
  readonly onUpdate: () => void;
}

/** Something has changed; what is urgent decides where viewers are sent. */
export type Urgency = 'urgent' | 'soon';

export interface Monitor {
  /** Watches the boxes of this map from now on. */
  watch(map: MonitoredMap): void;
  /** What is to be believed of each box now. */
  health(): ReadonlyMap<string, NodeHealth>;
  /** Every box looks dead, so the last good state is shown. */
  holding(): boolean;
  sight(): Sight;
  peers(): PeerStatus[];
  /** How every box is, or one with all that led to it; undefined where it is not watched. */
  list(): PathwayHealth[];
  describe(id: string): PathwayHealth | undefined;
  /** For its parts: something has changed. */
  changed(urgency: Urgency): void;
  /** Works until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

const none: MonitoredMap = { sequence: 0, appliances: [], steering: [], maintenance: [] };
/** Changes that come together are looked at together. */
const urgentMs = 5;
const soonMs = 250;
/** Views grow stale and windows begin with nobody saying so. */
const lookMs = 500;

/** Makes the monitor: what this node has seen, what the others have seen, and what follows from both. */
export function createMonitor(
  options: MonitorOptions,
  makeParts: (monitor: Pick<Monitor, 'changed'>) => MonitorParts,
): Monitor {
  return new HealthMonitor(options, makeParts);
}

class HealthMonitor implements Monitor {
  readonly #options: MonitorOptions;
  readonly #parts: MonitorParts;
  readonly #board: HealthBoard;
  // What follows from what was seen is remembered box by box: twice a second most of a thousand boxes are as they were.
  readonly #votes = new VoteBook();
  readonly #quorum = new Quorum();
  #map = none;
  #sight: Sight = 'clear';
  #isHolding = false;
  #merged: Merged = { nodes: new Map(), holding: false };
  #evidence: readonly BoxEvidence[] = [];
  #views: ReturnType<Peers['fresh']> = [];
  #shape = '';
  #dueMs = Infinity;
  #isUrgent = false;
  #wake: (() => void) | undefined;

  constructor(options: MonitorOptions, makeParts: (monitor: Pick<Monitor, 'changed'>) => MonitorParts) {
    this.#options = options;
    this.#board = new HealthBoard(options.onChange);
    this.#parts = makeParts(this);
  }

  watch(map: MonitoredMap): void {
    const { prober, streams, peers } = this.#parts;
    this.#map = map;
    prober.watch(map.appliances);
    streams.keepOnly(new Set(map.appliances.map(({ id }) => id)));
    peers.follow(map.steering);
    this.#reconsider();
  }

  health(): ReadonlyMap<string, NodeHealth> {
    return this.#board.health();
  }

  holding(): boolean {
    return this.#isHolding;
  }

  sight(): Sight {
    return this.#sight;
  }

  peers(): PeerStatus[] {
    return this.#parts.peers.status();
  }

  list(): PathwayHealth[] {
    return this.#map.appliances.flatMap(({ id }) => this.#describe(id) ?? []);
  }

  describe(id: string): PathwayHealth | undefined {
    const found = this.#describe(id);
    if (found === undefined) return undefined;
    const votes = this.#views.flatMap(({ node, votes: all }) => {
      const vote = all.find((each) => each.id === id);
      if (vote === undefined) return [];
      const { v4, v6, why } = vote;
      return [
        {
          node,
          ...(v4 !== undefined && { v4 }),
          ...(v6 !== undefined && { v6 }),
          ...(why !== undefined && { why }),
        },
      ];
    });
    return { ...found, votes, history: [...this.#board.history(id)] };
  }

  changed(urgency: Urgency): void {
    const dueMs = this.#options.clock.monotonicMs() + (urgency === 'urgent' ? urgentMs : soonMs);
    if (urgency === 'urgent') this.#isUrgent = true;
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    this.#wake?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { peers, streams, prober } = this.#parts;
    const parts = Promise.all([peers.run(signal), streams.run(signal)]);
    const isOver = (): boolean => signal.aborted;
    while (!isOver()) {
      await this.#sleep(signal);
      if (!isOver()) this.#reconsider();
    }
    await Promise.all([parts, prober.stop()]);
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const lookAtMs = nowMs + this.#untilNextLookMs();
    const isDue = (): boolean => clock.monotonicMs() >= Math.min(this.#dueMs, lookAtMs);
    while (!isDue() && !signal.aborted) {
      const sleeping = new AbortController();
      this.#wake = () => {
        sleeping.abort();
      };
      signal.addEventListener('abort', this.#wake, { once: true });
      const waitMs = Math.min(this.#dueMs, lookAtMs) - clock.monotonicMs();
      await clock.sleep(waitMs, { signal: sleeping.signal }).catch(() => undefined);
      signal.removeEventListener('abort', this.#wake);
      this.#wake = undefined;
    }
  }

  #untilNextLookMs(): number {
    const nowMs = this.#options.clock.nowMs();
    const nextMs = nextMaintenanceMs(this.#map.maintenance, nowMs);
    return Math.min(lookMs, nextMs === undefined ? lookMs : Math.max(1, nextMs - nowMs));
  }

  /** From what was seen to what is believed. */
  #reconsider(): void {
    const { node, clock, holdWindowMs } = this.#options;
    const { peers } = this.#parts;
    const isUrgent = this.#isUrgent;
    const isNews = this.#dueMs < Infinity;
    this.#dueMs = Infinity;
    this.#isUrgent = false;
    const evidence = this.#gather();
    const others = peers.fresh();
    const sightBefore = this.#sight;
    this.#sight = judgeSight({
      peers: peers.status().length,
      peersFresh: others.length,
      ...countDown(evidence),
    });
    if (this.#sight !== sightBefore) this.#options.onSight(this.#sight);
    const mapSequence = this.#map.sequence;
    const own = castView(evidence, { node, mapSequence, sight: this.#sight, holdWindowMs }, this.#votes);
    this.#views = [own.view, ...others];
    this.#merged = this.#quorum.merge(this.#views);
    const before = { health: this.#board.health(), isHolding: this.#isHolding };
    this.#isHolding = own.holding || this.#merged.holding;
    const { appliances: boxes, maintenance } = this.#map;
    this.#board.update({ boxes, maintenance }, { merged: this.#merged, nowMs: clock.nowMs() });
    const shape = own.view.isolated ? 'isolated' : 'sighted';
    peers.publish(own.view, isUrgent || shape !== this.#shape);
    this.#shape = shape;
    // A window that begins, or a view that has grown stale, is told by nobody.
    const isOther = this.#board.health() !== before.health || this.#isHolding !== before.isHolding;
    if (isNews || isOther) this.#options.onUpdate();
  }

  /** What was seen of each box. It is the same object where neither probes nor the box itself say anything else. */
  #gather(): readonly BoxEvidence[] {
    const { prober, streams } = this.#parts;
    const before = this.#evidence;
    this.#evidence = prober.evidence().map(({ id, probes, suppressed }, at) => {
      const report = streams.report(id);
      const known = before[at];
      const isKnown = known?.probes === probes && known.suppressed === suppressed && known.report === report;
      return isKnown && known.id === id ? known : { id, probes, suppressed, report };
    });
    return this.#evidence;
  }

  #describe(id: string): PathwayHealth | undefined {
    const health = this.#board.health().get(id);
    if (health === undefined) return undefined;
    const { streams, prober } = this.#parts;
    const seen = {
      lastProbe: prober.lastProbe(id),
      stream: streams.state(id),
      report: streams.report(id),
      merged: this.#merged.nodes.get(id),
    };
    return pathwayHealth(id, health, seen);
  }
}

/** Boxes that the own probes have a verdict on, and those of them that are down in every family. */
function countDown(evidence: readonly BoxEvidence[]): { boxes: number; boxesDown: number } {
  const count = { boxes: 0, boxesDown: 0 };
  for (const { probes } of evidence) {
    let isKnown = false;
    let isAlive = false;
    for (const { verdict } of probes.values()) {
      isKnown ||= verdict !== 'unknown';
      isAlive ||= verdict === 'up' || verdict === 'draining';
    }
    if (isKnown) count.boxes++;
    if (isKnown && !isAlive) count.boxesDown++;
  }
  return count;
}
