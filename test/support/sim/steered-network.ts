// A network in the small for simulated incidents: boxes that live and die, viewers who watch from them as players do, and steering nodes
// with their real brain and monitor. Only probes, streams and links are made up; time is the simulation's.
import { parse as parseQuery } from 'node:querystring';
import type { PeerView } from '../../../common/contract/health.ts';
import { createManualClock, type ManualClock } from '../../../common/runtime/manual-clock.ts';
import { createBrain, type Brain } from '../../../steering/brain.ts';
import { calm, flapPolicyDefault, noteLoss, settle, type FlapState } from '../../../steering/core/flap.ts';
import { observe, unprobed, type ProbeState } from '../../../steering/core/health.ts';
import { rankPolicyDefault } from '../../../steering/core/rank.ts';
import { readSteeredSession, steeredSessionQuery } from '../../../steering/core/steered-session.ts';
import type { SteeringView } from '../../../steering/core/view.ts';
import { createMonitor, type Monitor } from '../../../steering/monitor/monitor.ts';
import { pick, seededRandom } from '../seeded.ts';
import { mapOf, origin, viewOf, type TestAppliance } from '../steering-maps.ts';

/** From one step to the next: as often as a box in doubt is probed, and says how it is. */
export const stepMs = 500;

/** A viewer of 5 Mbit/s takes this share of a box of weight 1, as steering's load policy has it. */
const viewerShare = 1 / 2000;
const policy = { downAfter: 2, upAfter: 2 };
const ttl = { healthyS: 300, healthySpread: 0.1, incidentMinS: 10, incidentMaxS: 30 };
const incidentMs = 60_000;

/** One who watches, and the player. */
interface Viewer {
  readonly address: { readonly family: 4; readonly words: readonly number[] };
  readonly bundle: string;
  readonly declared: readonly string[];
  ways: readonly string[];
  at: string;
  query: string;
  askMs: number;
}

/** What viewers did in a step. */
export interface Moved {
  readonly atMs: number;
  readonly viewer: number;
  readonly from: string;
  readonly to: string;
  /** Its way had died, so that it went by itself. */
  readonly fled: boolean;
}

export interface NetworkOptions {
  readonly seed: number;
  readonly boxes: readonly TestAppliance[];
  readonly nodes?: number;
  readonly titles?: number;
}

/** The whole of it; `step` lets time pass. */
export class SteeredNetwork {
  readonly clock: ManualClock = createManualClock();
  readonly alive: Map<string, boolean>;
  readonly moves: Moved[] = [];
  readonly nodes: SteeringNode[];
  /** The largest share of each box that was ever in use. */
  readonly peaks = new Map<string, number>();
  readonly #view: SteeringView;
  readonly #random: () => number;
  readonly #viewers: Viewer[] = [];
  readonly #counts = new Map<string, number>();
  readonly #bundles: readonly string[];

  constructor({ seed, boxes, nodes = 1, titles = 200 }: NetworkOptions) {
    this.#random = seededRandom(seed);
    this.#bundles = Array.from({ length: titles }, (_, at) => at.toString(16).padStart(64, '0'));
    const appliances = [...boxes, origin()];
    const holders = [...appliances.keys()];
    const key = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' } as const;
    const peers = Array.from({ length: nodes }, (_, at) => ({ id: `node-${at}`, key }));
    const map = mapOf(appliances, {
      bundles: this.#bundles.map((bundle) => ({ bundle, holders })),
      steering: peers,
    });
    this.#view = viewOf(map);
    this.alive = new Map(appliances.map(({ id }) => [id, true]));
    this.nodes = peers.map(
      ({ id }) => new SteeringNode(id, this.#view, { clock: this.clock, random: this.#random }),
    );
    this.#look();
    this.#look();
  }

  /** How many watch from a box, and the share of it that this takes. */
  viewersOf(id: string): number {
    return this.#counts.get(id) ?? 0;
  }

  usedOf(id: string): number {
    const weight = this.#view.appliances[this.#view.indexOf.get(id) ?? -1]?.weight ?? 1;
    return (this.viewersOf(id) * viewerShare) / weight;
  }

  /** Where each viewer is. */
  places(): string[] {
    return this.#viewers.map(({ at }) => at);
  }

  /** Viewers come, each to the first of the ways that one of the nodes tells it. */
  arrive(count: number): void {
    for (let left = count; left > 0; left--) {
      const address = { family: 4, words: [0x0a000000 + pick(this.#random, 2 ** 24)] } as const;
      const bundle = this.#bundles[pick(this.#random, this.#bundles.length)] ?? '';
      const ways = this.#node().brain.rank({ client: address, bundle }) ?? [];
      const declared = ways.map(({ id }) => id);
      const at = declared.find((id) => this.alive.get(id)) ?? '';
      const askMs = this.clock.monotonicMs() + this.#random() * 10_000;
      this.#viewers.push({ address, bundle, declared, ways: declared, at, query: '', askMs });
      this.#count(at, 1);
    }
  }

  /** The first viewers to come leave. */
  leave(count: number): void {
    for (const { at } of this.#viewers.splice(0, count)) this.#count(at, -1);
  }

  /** Lets so much time pass. */
  async run(seconds: number, each: () => void = () => undefined): Promise<void> {
    for (let at = 0; at < (seconds * 1000) / stepMs; at++) {
      await this.clock.advance(stepMs);
      each();
      this.#look();
      this.#watch();
    }
  }

  /** Every node probes, hears and thinks. */
  #look(): void {
    const headroomOf = (id: string): number => Math.max(0, 1 - this.usedOf(id));
    for (const node of this.nodes) node.look(this.alive, headroomOf);
    for (const node of this.nodes) node.hear(this.nodes);
  }

  #watch(): void {
    const nowMs = this.clock.monotonicMs();
    for (const [index, viewer] of this.#viewers.entries()) {
      if (this.alive.get(viewer.at) !== true) {
        const next = viewer.ways.find((id) => this.alive.get(id)) ?? viewer.at;
        // Its player asks at once where it is to go from there.
        if (next !== viewer.at) this.#move(index, viewer, { to: next, fled: true });
      }
      if (nowMs < viewer.askMs) continue;
      this.#ask(viewer);
      const [first] = viewer.ways;
      if (first !== undefined && first !== viewer.at && this.alive.get(first) === true)
        this.#move(index, viewer, { to: first, fled: false });
    }
  }

  #ask(viewer: Viewer): void {
    const nowS = Math.floor(this.clock.nowMs() / 1000);
    const reported = { ...parseQuery(viewer.query), _HLS_pathway: viewer.at };
    const session = readSteeredSession(reported, viewer.declared, nowS);
    const asked = { client: { ...viewer.address, words: [...viewer.address.words] }, bundle: viewer.bundle };
    const { pathways, ttlS } = this.#node().brain.priority(asked, session);
    viewer.ways = pathways;
    viewer.query = steeredSessionQuery(session, pathways[0]);
    viewer.askMs = this.clock.monotonicMs() + ttlS * 1000;
  }

  #move(index: number, viewer: Viewer, { to, fled }: { to: string; fled: boolean }): void {
    this.moves.push({ atMs: this.clock.monotonicMs(), viewer: index, from: viewer.at, to, fled });
    this.#count(viewer.at, -1);
    viewer.at = to;
    this.#count(to, 1);
  }

  #count(id: string, by: number): void {
    this.#counts.set(id, this.viewersOf(id) + by);
    this.peaks.set(id, Math.max(this.peaks.get(id) ?? 0, this.usedOf(id)));
  }

  #node(): SteeringNode {
    const node = this.nodes[pick(this.#random, this.nodes.length)];
    if (node === undefined) throw new TypeError('there is a node');
    return node;
  }
}

/** A steering node whose probes and peers are the simulation's. */
export class SteeringNode {
  /** Its own network is gone: it reaches no box and no peer. */
  isCut = false;
  readonly brain: Brain;
  readonly #id: string;
  readonly #view: SteeringView;
  readonly #clock: ManualClock;
  readonly #monitor: Monitor;
  readonly #states = new Map<string, ProbeState>();
  readonly #flaps = new Map<string, FlapState>();
  #alive: ReadonlyMap<string, boolean> = new Map();
  #headroomOf: (id: string) => number = () => 1;
  #changedAtMs: number | undefined;
  #told: PeerView | undefined;
  #heard: PeerView[] = [];
  #peerCount = 0;

  constructor(
    id: string,
    view: SteeringView,
    { clock, random }: { readonly clock: ManualClock; readonly random: () => number },
  ) {
    this.#id = id;
    this.#view = view;
    this.#clock = clock;
    this.#monitor = this.#makeMonitor();
    this.brain = createBrain({
      ...{ view: () => view, monitor: this.#monitor, policy: rankPolicyDefault, ttl, dnsTtl: ttl },
      ...{
        placeUnknown: undefined,
        changedAtMs: () => this.#changedAtMs,
        incidentMs,
        clock,
        fraction: random,
      },
      isConnected: () => true,
    });
  }

  /** How often a box was believed to be lost. */
  lossesOf(id: string): number {
    return this.#monitor.describe(id)?.history?.filter(({ to }) => to === 'down').length ?? 0;
  }

  verdictOf(id: string): string {
    return this.#monitor.health().get(id)?.verdict ?? 'unknown';
  }

  holding(): boolean {
    return this.#monitor.holding();
  }

  /** Probes every box once. */
  look(alive: ReadonlyMap<string, boolean>, headroomOf: (id: string) => number): void {
    this.#alive = alive;
    this.#headroomOf = headroomOf;
    const [nowMs, monotonicMs] = [this.#clock.nowMs(), this.#clock.monotonicMs()];
    for (const { id } of this.#view.appliances) {
      const before = this.#states.get(id) ?? unprobed(monotonicMs);
      const state = observe(
        before,
        this.#reaches(id)
          ? { kind: 'ok', draining: false, probeMs: 1 }
          : { kind: 'failed', reason: 'ECONNREFUSED' },
        { nowMs, monotonicMs, policy },
      );
      let flap = settle(this.#flaps.get(id) ?? calm, monotonicMs, flapPolicyDefault);
      if (state.verdict === 'down' && before.verdict === 'up')
        flap = noteLoss(flap, monotonicMs, flapPolicyDefault);
      this.#states.set(id, state);
      this.#flaps.set(id, flap);
    }
    this.#monitor.watch(this.#view);
  }

  /** Takes what the others saw, and thinks again. */
  hear(nodes: readonly SteeringNode[]): void {
    const others = nodes.filter((node) => node !== this);
    this.#peerCount = others.length;
    this.#heard = this.isCut ? [] : others.flatMap((node) => (node.isCut ? [] : (node.#told ?? [])));
    this.#monitor.watch(this.#view);
  }

  #reaches(id: string): boolean {
    return !this.isCut && this.#alive.get(id) === true;
  }

  #makeMonitor(): Monitor {
    const nothing = (): void => undefined;
    const over = (): Promise<void> => Promise.resolve();
    const options = {
      ...{ node: this.#id, clock: this.#clock, holdWindowMs: 10_000, onSight: nothing, onUpdate: nothing },
      onChange: ({
        before,
        after,
      }: {
        before: { verdict: string } | undefined;
        after: { verdict: string };
      }) => {
        const isFound = (before?.verdict ?? 'unknown') === 'unknown' && after.verdict === 'up';
        if (!isFound) this.#changedAtMs = this.#clock.monotonicMs();
      },
    };
    return createMonitor(options, () => ({
      prober: {
        ...{ watch: nothing, doubt: nothing, stop: over },
        lastProbe: () => ({ lastProbeMs: undefined, probeMs: undefined }),
        evidence: () =>
          [...this.#states].map(([id, state]) => ({
            id,
            probes: new Map([[4 as const, state]]),
            suppressed: new Set(this.#flaps.get(id)?.suppressed === true ? [4 as const] : []),
          })),
      },
      streams: {
        ...{ addTo: nothing, keepOnly: nothing, run: over },
        state: (id) => (this.#reaches(id) ? 'live' : 'none'),
        report: (id) =>
          this.#reaches(id)
            ? {
                ...{ sentAtMs: this.#clock.nowMs(), state: 'ready', level: 'normal', reasons: [] },
                ...{ headroom: this.#headroomOf(id), liveRequests: 0, liveSessions: 0, connections: 0 },
                ...{ failures: 0, disks: { serving: 1, all: 1 } },
              }
            : undefined,
      },
      peers: {
        ...{ follow: nothing, addTo: nothing, run: over },
        publish: (view) => (this.#told = view),
        fresh: () => this.#heard,
        status: () =>
          Array.from({ length: this.#peerCount }, (_, at) => ({ id: `peer-${at}`, fresh: !this.isCut })),
      },
    }));
  }
}
