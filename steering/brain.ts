import type { Place } from '../common/contract/documents.ts';
import type { ExplainReply, SteeringStatus } from '../common/contract/steering.ts';
import type { Address } from '../common/core/ip-address.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { contentOf, nothingKnown } from './dns/content.ts';
import type { Steered, ZoneContent, ZoneSource } from './dns/zone.ts';
import { bundlesByShard } from './core/bundle-shard.ts';
import {
  chooseTtlS,
  FULL_LEAVE_SHARE,
  orderPathways,
  type StayPolicy,
  type TtlPolicy,
} from './core/content-steering.ts';
import { explain } from './core/explain.ts';
import { rank, type RankInput, type RankPolicy, type Ranking } from './core/rank.ts';
import type { SteeredSession } from './core/steered-session.ts';
import type { SteeringView } from './core/view.ts';
import type { Monitor } from './monitor/monitor.ts';

export interface BrainOptions {
  readonly view: () => SteeringView | undefined;
  readonly monitor: Pick<Monitor, 'health' | 'holding'>;
  readonly policy: RankPolicy;
  readonly ttl: TtlPolicy;
  readonly dnsTtl: TtlPolicy;
  /** Where a client is taken to be whose place is not known. */
  readonly placeUnknown: Place | undefined;
  /** Monotonic time of the last change of a node's health; undefined where there was none. */
  readonly changedAtMs: () => number | undefined;
  /** So long after a change an incident is taken to go on. */
  readonly incidentMs: number;
  readonly isConnected: () => boolean;
  readonly clock: Clock;
  /** In [0, 1); spreads the TTLs of an incident. */
  readonly fraction: () => number;
}

export type MapStatus = Pick<SteeringStatus, 'mapSequence' | 'mapAgeMs' | 'mapExpired' | 'controlPlane'>;

/** What is asked for a client. */
export interface Query {
  readonly client: Address;
  readonly bundle: string;
}

/** The one brain behind HTTP, redirects, content steering and DNS. All of it answers from memory. */
export interface Brain extends ZoneSource {
  view(): SteeringView | undefined;
  /** Undefined until the first map. */
  rank(query: Query): Ranking | undefined;
  explain(query: Query): ExplainReply | undefined;
  /** The order of a session's pathways for a player, and how long it holds. */
  priority(query: Query, session: SteeredSession): { pathways: readonly string[]; ttlS: number };
  /** What can be told without knowing who watches. */
  status(): MapStatus;
}

/** DNS clients take any of the addresses of an answer, so only the best go in. */
const DNS_BOXES_MAX = 2;
const NOBODY: Readonly<Record<4 | 6, Address>> = {
  4: { family: 4, words: [0] },
  6: { family: 6, words: [0, 0, 0, 0] },
};

export function createBrain(options: BrainOptions): Brain {
  const { monitor, clock } = options;
  const inputOf = (view: SteeringView, client: Address): RankInput => ({
    view,
    health: monitor.health(),
    client,
    placeUnknown: options.placeUnknown,
    policy: options.policy,
  });
  const hasIncident = (): boolean => {
    const changedAtMs = options.changedAtMs();
    const isFresh = changedAtMs !== undefined && clock.monotonicMs() - changedAtMs < options.incidentMs;
    return isFresh || monitor.holding();
  };
  const ask = <T>(run: (view: SteeringView) => T): T | undefined => {
    const view = options.view();
    return view === undefined ? undefined : run(view);
  };
  const steer = (
    view: SteeringView,
    client: Address | undefined,
    { family, bundle }: { family: 4 | 6; bundle: string | undefined },
  ): Steered | undefined => {
    const { ways, scopeLength } = rank({ ...inputOf(view, client ?? NOBODY[family]), family, bundle });
    if (ways.length === 0) return undefined;
    const reachable = ways.filter(({ appliance }) => appliance.addresses[family].length > 0);
    const boxes = reachable.filter(({ appliance }) => appliance.role !== 'origin');
    const chosen = (boxes.length > 0 ? boxes : reachable).slice(0, DNS_BOXES_MAX);
    const ttlS = chooseTtlS(options.dnsTtl, hasIncident(), options.fraction());
    return { nodes: chosen.map(({ index }) => index), scopeLength, ttlS };
  };
  const zoneOf = perView((view) => ({
    content: contentOf(view),
    bundles: bundlesByShard(view.bundles.keys()),
  }));

  return {
    view: options.view,
    rank: ({ client, bundle }) => ask((view) => rank({ ...inputOf(view, client), bundle })),
    explain: ({ client, bundle }) =>
      ask((view) => explain({ ...inputOf(view, client), bundle }, clock.nowMs())),
    priority({ client, bundle }, session) {
      const ranking = ask((view) => rankSession({ ...inputOf(view, client), bundle }, session));
      const { pathways, incident } = orderPathways(session, ranking, stayPolicy(options));
      return { pathways, ttlS: chooseTtlS(options.ttl, incident || hasIncident(), options.fraction()) };
    },
    status() {
      const view = options.view();
      return {
        mapSequence: view?.sequence ?? 0,
        mapAgeMs: view === undefined ? 0 : Math.max(0, Math.round(clock.nowMs() - view.issuedAtMs)),
        mapExpired: view !== undefined && view.notAfterMs <= clock.nowMs(),
        controlPlane: options.isConnected() ? 'connected' : 'lost',
      };
    },
    steer: (client, family, shard) =>
      ask((view) => {
        const bundle = shard === undefined ? undefined : zoneOf(view).bundles.get(shard);
        return steer(view, client, { family, bundle });
      }),
    content: (): ZoneContent => ask((view) => zoneOf(view).content) ?? nothingKnown,
  };
}

/** Computes something once for each view, when it is first asked for. */
function perView<T>(compute: (view: SteeringView) => T): (view: SteeringView) => T {
  let held: { view: SteeringView; value: T } | undefined;
  return (view) => {
    if (held?.view !== view) held = { view, value: compute(view) };
    return held.value;
  };
}

/** A ranking that has judged all pathways of a session. */
function rankSession(input: RankInput, { declared }: SteeredSession): Ranking {
  const { indexOf } = input.view;
  return rank(
    input,
    declared.map((id) => indexOf.get(id)).filter((index) => index !== undefined),
  );
}

function stayPolicy({ policy, fraction }: BrainOptions): StayPolicy {
  return { order: policy.order, leavesFull: fraction() < FULL_LEAVE_SHARE };
}
