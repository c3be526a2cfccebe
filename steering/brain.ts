import type { Place } from '../common/contract/documents.ts';
import type { ExplainReply, SteeringStatus } from '../common/contract/steering.ts';
import { formatPrefix, type Address } from '../common/core/ip-address.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { contentOf, nothingKnown } from './dns/content.ts';
import type { Steered, ZoneContent, ZoneSource } from './dns/zone.ts';
import {
  chooseTtlS,
  FULL_LEAVE_SHARE,
  orderPathways,
  type StayPolicy,
  type TtlPolicy,
} from './core/content-steering.ts';
import { explain } from './core/explain.ts';
import { filterNumber } from './core/filters.ts';
import { blockBits, type Decision, type DecisionSink } from './core/history-records.ts';
import { LookAhead } from './core/look-ahead.ts';
import { rankAmong, rankQueryOf, type RankInput, type RankPolicy, type Ranking } from './core/rank.ts';
import { anyBundle, askForShard, type Places, type RankQuery, type ShardQuery } from './core/rank-query.ts';
import type { SteeredSession } from './core/steered-session.ts';
import type { SteeringView, ViewAppliance } from './core/view.ts';
import type { Monitor } from './monitor/monitor.ts';
import { createOutlooks, type Outlook } from './outlook.ts';

export interface BrainOptions {
  readonly view: () => SteeringView | undefined;
  readonly monitor: Pick<Monitor, 'health' | 'holding'>;
  readonly policy: RankPolicy;
  readonly ttl: TtlPolicy;
  readonly dnsTtl: TtlPolicy;
  /** Where a client is taken to be whose place is not known. */
  readonly placeUnknown: Place | undefined;
  /** What tells the places of those whom no route reaches; asked for each answer. */
  readonly places?: () => Places | undefined;
  /** Monotonic time of the last change of a node's health; undefined where there was none. */
  readonly changedAtMs: () => number | undefined;
  /** So long after a change an incident is taken to go on. */
  readonly incidentMs: number;
  readonly isConnected: () => boolean;
  /** Told of decisions. */
  readonly decisions?: DecisionSink;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  /** In [0, 1); spreads the TTLs of an incident. */
  readonly fraction: () => number;
}

export type MapStatus = Pick<SteeringStatus, 'mapSequence' | 'mapAgeMs' | 'mapExpired' | 'controlPlane'>;

/** What is asked for a client. */
export interface Query {
  readonly client: Address;
  readonly bundle: string;
}

/** The same, or what is asked for nothing in particular, as DNS is. */
export interface ExplainQuery {
  readonly client: Address;
  readonly bundle?: string | undefined;
}

/** The one brain behind HTTP, redirects, content steering and DNS. All of it answers from memory. */
export interface Brain extends ZoneSource {
  view(): SteeringView | undefined;
  /** The ways for a client, best first, the origin last. Undefined until the first map. */
  rank(query: Query): readonly ViewAppliance[] | undefined;
  explain(query: ExplainQuery): ExplainReply | undefined;
  /** The order of a session's pathways for a player, and how long it holds. */
  priority(query: Query, session: SteeredSession): { pathways: readonly string[]; ttlS: number };
  /** What answers now depend on; undefined until the first map. */
  outlook(): Outlook | undefined;
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
  const { clock, decisions } = options;
  const outlookNow = createOutlooks({ ...options, health: () => options.monitor.health() });
  const hasIncident = (): boolean => incidentNow(options);
  const ask = <T>(run: (outlook: Outlook) => T): T | undefined => {
    const outlook = outlookNow();
    return outlook === undefined ? undefined : run(outlook);
  };
  const waysFor = (outlook: Outlook, query: RankQuery): ViewAppliance[] => {
    const { ranker, state, view } = outlook;
    ranker.rank(query, state);
    const ways: ViewAppliance[] = [];
    for (let at = 0; at < ranker.wayCount; at++) {
      const way = view.appliances[ranker.appliances[ranker.ways[at] ?? 0] ?? 0];
      if (way !== undefined) ways.push(way);
    }
    if (ranker.wayCount > 0) outlook.decide(ranker.appliances[ranker.ways[0] ?? 0] ?? 0);
    return ways;
  };
  const steer = createDnsSteer(options, hasIncident);
  const contentNow = perView(contentOf);
  const lookAheadNow = perView((view) => new LookAhead(view));
  return {
    view: options.view,
    outlook: outlookNow,
    rank: (query) =>
      ask((outlook) => {
        const asked = { ...query, places: options.places?.(), placeUnknown: options.placeUnknown };
        const ways = waysFor(outlook, rankQueryOf(outlook.view, asked));
        const weight = decisions?.take() ?? 0;
        if (weight > 0)
          decisions?.add(weight, told(outlook, { output: 'http', ...query, ways: ways.map(({ id }) => id) }));
        return ways;
      }),
    explain: (query) => ask((outlook) => explain(inputOf(options, outlook, query), clock.nowMs())),
    priority(query, session) {
      const ranking = ask((outlook) => rankSession(inputOf(options, outlook, query), session));
      const { pathways, incident } = orderPathways(session, ranking, stayPolicy(options));
      ask((outlook) => {
        const weight = decisions?.take() ?? 0;
        if (weight > 0)
          decisions?.add(weight, told(outlook, { output: 'steering', ...query, ways: pathways }));
      });
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
    expect(clients, count) {
      const view = options.view();
      if (view !== undefined) lookAheadNow(view).to(clients, count);
    },
    steer(client, family, shard) {
      const outlook = outlookNow();
      return outlook && steer(outlook, client, { family, shard });
    },
    content(): ZoneContent {
      const view = options.view();
      return view === undefined ? nothingKnown : contentNow(view);
    },
  };
}

/** Member by member: every player's request makes one. */
function inputOf(
  { monitor, policy, placeUnknown, places }: BrainOptions,
  { view, ranker, state }: Outlook,
  { client, bundle }: ExplainQuery,
): RankInput {
  const health = monitor.health();
  return { view, ranker, state, health, policy, placeUnknown, places: places?.(), client, bundle };
}

function incidentNow({ changedAtMs, clock, incidentMs, monitor }: BrainOptions): boolean {
  const atMs = changedAtMs();
  return (atMs !== undefined && clock.monotonicMs() - atMs < incidentMs) || monitor.holding();
}

type DnsSteer = (
  outlook: Outlook,
  client: Address | undefined,
  asked: { family: 4 | 6; shard: number | undefined },
) => Steered | undefined;

/** Steers DNS clients: for every query, so with as little garbage as can be. */
function createDnsSteer(options: BrainOptions, hasIncident: () => boolean): DnsSteer {
  const query: ShardQuery = {
    ...{ words: [], clientFamily: 4, family: 4, row: anyBundle, key: undefined, shardKey: { a: 0, b: 0 } },
    ...{
      forBlock: true,
      firstWays: DNS_BOXES_MAX,
      place: undefined,
      places: undefined,
      placeUnknown: options.placeUnknown,
    },
  };
  const nodes: number[] = [];
  /** Puts the best boxes with an address of the family into `nodes`; @returns how many. */
  const collect = ({ view, ranker }: Outlook, family: 4 | 6): number => {
    let count = 0;
    for (let at = 0; at < ranker.wayCount && count < DNS_BOXES_MAX; at++) {
      const index = ranker.appliances[ranker.ways[at] ?? 0] ?? 0;
      const appliance = view.appliances[index];
      if (appliance === undefined || appliance.addresses[family].length === 0) continue;
      // An origin is for where there is no box; it stands behind all of them.
      if (appliance.role === 'origin' && count > 0) break;
      nodes[count++] = index;
    }
    return count;
  };
  return (outlook, client, { family, shard }) => {
    const { view, ranker, state } = outlook;
    query.words = (client ?? NOBODY[family]).words;
    query.clientFamily = client?.family ?? family;
    query.family = family;
    query.places = options.places?.();
    askForShard(query, view.holdings, shard);
    query.firstWays = DNS_BOXES_MAX;
    ranker.rank(query, state);
    if (ranker.wayCount === 0) return undefined;
    let count = collect(outlook, family);
    if (count < DNS_BOXES_MAX && ranker.isCut) {
      // Some have no address of the family, and others may stand behind them.
      query.firstWays = Infinity;
      ranker.rank(query, state);
      count = collect(outlook, family);
    }
    // To set it costs more than the rest of this, and it is the same nearly always.
    if (nodes.length !== count) nodes.length = count;
    const [best] = nodes;
    if (best !== undefined) outlook.decide(best);
    const weight = options.decisions?.take() ?? 0;
    if (weight > 0) {
      const ways = nodes.map((node) => view.appliances[node]?.id ?? '');
      const asked = { client: client ?? NOBODY[family], family, shard };
      options.decisions?.add(weight, told(outlook, { output: 'dns', ...asked, ways }));
    }
    const isSoon = hasIncident() || (query.row !== anyBundle && awaitsHolder(outlook));
    const ttlS = chooseTtlS(options.dnsTtl, isSoon, options.fraction());
    return { nodes, scopeLength: ranker.scopeLength, ttlS };
  };
}

const NOT_HELD = filterNumber('not-held');

/** Whether an origin is the best way while a box is only not known to hold what is asked for: the next map may say that it does. */
function awaitsHolder({ view, ranker }: Outlook): boolean {
  const best = ranker.appliances[ranker.ways[0] ?? 0] ?? 0;
  if (view.appliances[best]?.role !== 'origin') return false;
  for (let slot = 0; slot < ranker.count; slot++) if (ranker.removedBy[slot] === NOT_HELD) return true;
  return false;
}

interface Told {
  readonly output: Decision['output'];
  readonly client: Address;
  readonly family?: 4 | 6;
  readonly bundle?: string;
  readonly shard?: number | undefined;
  readonly ways: readonly string[];
}

/** A decision as it is recorded: of the client its block only. */
function told({ view }: Outlook, { client, family = client.family, bundle, shard, ...rest }: Told): Decision {
  return {
    ...{ ...rest, family, sequence: view.sequence, ways: [...rest.ways] },
    client: formatPrefix(client, blockBits[client.family]),
    ...(bundle !== undefined && bundle !== '' && { bundle }),
    ...(shard !== undefined && { shard }),
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

/** A ranking of the pathways of a session. */
function rankSession(input: RankInput, { declared }: SteeredSession): Ranking {
  const these = declared.map((id) => input.view.indexOf.get(id) ?? -1);
  return rankAmong(input, these.includes(-1) ? these.filter((index) => index >= 0) : these);
}

function stayPolicy({ policy, fraction }: BrainOptions): StayPolicy {
  return { order: policy.order, leavesFull: fraction() < FULL_LEAVE_SHARE };
}
