import type { Place } from '../../common/contract/documents.ts';
import type { FilterName } from '../../common/contract/steering.ts';
import type { Address } from '../../common/core/ip-address.ts';
import { hashText, type HashPair } from '../../common/core/rendezvous.ts';
import { sortFew } from '../../common/core/sort-few.ts';
import { familyBits } from './families.ts';
import { conditionOf, filterNumber, filters } from './filters.ts';
import type { NodeHealth } from './health.ts';
import { rowOfBundle } from './holdings.ts';
import { rankedRouteOf, rankKeys, type RankedRoute, type RankKey } from './rank-keys.ts';
import { anyBundle, type Places, type RankQuery, type RankState } from './rank-query.ts';
import type { Ranker } from './ranker.ts';
import { lengthOf } from './route-lists.ts';
import type { SteeringView, ViewAppliance } from './view.ts';

export interface RankPolicy {
  /** The keys that are compared, most important first. */
  readonly order: readonly RankKey[];
  /** Appliances with a smaller share of free capacity get nobody. */
  readonly headroomMin: number;
  /** How many ways an answer has at most, the origin included; 2 or more. */
  readonly waysMax: number;
}

export const rankPolicyDefault: RankPolicy = { order: rankKeys, headroomMin: 0.05, waysMax: 4 };

/** What is believed of each node, by its id. */
export type HealthById = ReadonlyMap<string, NodeHealth>;

/** What is asked of a ranking, in words. */
export interface RankAsked {
  readonly client: Address;
  /** The family in which the client will call; its own unless given (DNS answers for a family). */
  readonly family?: 4 | 6 | undefined;
  /** Left out by DNS for names that carry none: then no one is asked to hold it. */
  readonly bundle?: string | undefined;
  /** The answer is for the whole block of addresses around the client (DNS). */
  readonly forBlock?: boolean | undefined;
  /** Where the client is, if that is known. */
  readonly place?: Place | undefined;
  /** Asked for the place of a client that no route reaches. */
  readonly places?: Places | undefined;
  /** Where a client is taken to be that no route reaches and whose place is not known. */
  readonly placeUnknown?: Place | undefined;
}

export interface RankInput extends RankAsked {
  readonly view: SteeringView;
  readonly ranker: Ranker;
  readonly state: RankState;
  readonly health: HealthById;
  readonly policy: RankPolicy;
}

/** An appliance or origin with the keys by which it is compared. */
export interface Candidate extends RankedRoute {
  readonly index: number;
  readonly appliance: ViewAppliance;
  /** It is full for this viewer, who is sent on while others are there. */
  readonly spilled: boolean;
  /** It does not hold the bundle and would fetch it. */
  readonly fetches: boolean;
  readonly distanceKm: number | null;
  readonly rendezvous: number;
  /** What is wrong with it whoever asks: the filter of its state and health that it fails, if any. */
  readonly condition: FilterName | null;
  readonly removedBy: FilterName | null;
}

/** A decision with all that led to it. */
export interface Ranking {
  /** Bits of the longest prefix around the client; 0 where no route reaches it. */
  readonly matchedLength: number;
  /** Where the client was taken to be, where no route reaches it. */
  readonly place: Place | null;
  /** Bits of the block of addresses around the client for which this is the answer. */
  readonly scopeLength: number;
  /** Those that qualify, best first. */
  readonly qualified: readonly Candidate[];
  readonly removed: readonly Candidate[];
  /** The answer: best first, origins last. Empty where nothing qualifies. */
  readonly ways: readonly Candidate[];
  /** Everybody was full: those that only lack headroom were taken nevertheless. */
  readonly overfull: boolean;
}

/** What the map and the health say of every appliance, whoever asks; nobody is full for anybody. */
export function rankStateOf(view: SteeringView, health: HealthById, headroomMin: number): RankState {
  const state = {
    conditions: new Uint8Array(view.appliances.length),
    downFamilies: new Uint8Array(view.appliances.length),
    kept: new Float64Array(view.appliances.length).fill(1),
  };
  for (const [index, appliance] of view.appliances.entries()) {
    const believed = health.get(appliance.id);
    state.conditions[index] = filterNumber(conditionOf(appliance, believed, headroomMin));
    for (const family of believed?.downFamilies ?? [])
      state.downFamilies[index] = (state.downFamilies[index] ?? 0) | familyBits[family];
  }
  return state;
}

/** What is asked, in the terms of a ranker. */
export function rankQueryOf({ holdings }: SteeringView, asked: RankAsked): RankQuery {
  const { client, bundle } = asked;
  const row = bundle === undefined ? anyBundle : rowOfBundle(holdings, bundle);
  let key: HashPair | undefined;
  if (row >= 0) key = { a: holdings.hashA[row] ?? 0, b: holdings.hashB[row] ?? 0 };
  else if (bundle !== undefined) key = hashText(bundle);
  return {
    words: client.words,
    clientFamily: client.family,
    family: asked.family ?? client.family,
    row,
    key,
    forBlock: asked.forBlock ?? bundle === undefined,
    firstWays: Infinity,
    place: asked.place,
    places: asked.places,
    placeUnknown: asked.placeUnknown,
  };
}

/**
 * Ranks the ways to a bundle for a client with all that led to it: filters in their order, then whoever holds it and is not full,
 * then the keys in the order of the policy, then weighted rendezvous on the bundle, then the id. It reads what the
 * ranker that answers has found, so it cannot tell another story. `also` are indexes of appliances to be judged even where no
 * route brings them in.
 */
export function rank(input: RankInput, also: Iterable<number> = []): Ranking {
  const { ranker } = input;
  ranker.rankAll(rankQueryOf(input.view, input), input.state, also);
  return rankingOf(
    input,
    Array.from({ length: ranker.count }, (_, slot) => slot),
  );
}

/** The same of these appliances alone: everybody is judged as there, but nothing is told of the others. */
export function rankAmong(input: RankInput, these: readonly number[]): Ranking {
  const { ranker } = input;
  ranker.rankAll(rankQueryOf(input.view, input), input.state, these);
  const slots: number[] = [];
  for (let slot = 0; slot < ranker.count; slot++)
    if (these.includes(ranker.appliances[slot] ?? -1)) slots.push(slot);
  return rankingOf(input, slots);
}

/** What the ranker found, as far as it is of some of its slots. */
function rankingOf(input: RankInput, slots: readonly number[]): Ranking {
  const { ranker } = input;
  const found = slots.map((slot) => candidateAt(input, slot));
  const isAll = slots.length === ranker.count;
  const among = (some: ArrayLike<number>, count: number): Candidate[] => {
    const chosen: Candidate[] = [];
    for (let at = 0; at < count; at++) {
      const slot = some[at] ?? -1;
      const candidate = found[isAll ? slot : slots.indexOf(slot)];
      if (candidate !== undefined) chosen.push(candidate);
    }
    return chosen;
  };
  const hasRemoved = found.some(({ removedBy }) => removedBy !== null);
  const passed = slots.filter((slot) => ranker.removedBy[slot] === 0);
  sortFew(passed, (a, b) => ranker.compare(a, b));
  return {
    matchedLength: lengthOf(ranker.entry),
    place: ranker.place ?? null,
    scopeLength: ranker.scopeLength,
    qualified: among(passed, passed.length),
    removed: hasRemoved ? found.filter(({ removedBy }) => removedBy !== null) : [],
    ways: among(ranker.ways, ranker.wayCount),
    overfull: ranker.overfull,
  };
}

function candidateAt({ view, ranker, state }: RankInput, slot: number): Candidate {
  const index = ranker.appliances[slot] ?? 0;
  const appliance = view.appliances[index];
  if (appliance === undefined) throw new TypeError('a candidate is of the view');
  const distanceKm = ranker.distances[slot] ?? Infinity;
  const route = rankedRouteOf(view.routes.lists, ranker.routes[slot] ?? 0, ranker.lengths[slot] ?? 0);
  // Member by member: spread, it took twice the time, of which every player's request has four.
  return {
    prefixLength: route.prefixLength,
    classOrder: route.classOrder,
    asPathLength: route.asPathLength,
    med: route.med,
    index,
    appliance,
    spilled: ranker.isSpilled(slot),
    fetches: ranker.isFetching(slot),
    distanceKm: Number.isFinite(distanceKm) ? distanceKm : null,
    rendezvous: ranker.scoreOf(slot),
    condition: filters[(state.conditions[index] ?? 0) - 1] ?? null,
    removedBy: filters[(ranker.removedBy[slot] ?? 0) - 1] ?? null,
  };
}

/** What decided between two candidates: a key of the policy, or one of the rules around it. */
export type DecidedBy = 'role' | 'load' | 'held' | RankKey | 'rendezvous' | 'id';

/** Compares two candidates, and says by what; a negative sign puts `a` first. */
export function compareCandidates(
  a: Candidate,
  b: Candidate,
  order: readonly RankKey[],
): { sign: number; by: DecidedBy } {
  if (a.appliance.role !== b.appliance.role)
    return { sign: a.appliance.role === 'origin' ? 1 : -1, by: 'role' };
  if (a.spilled !== b.spilled) return { sign: a.spilled ? 1 : -1, by: 'load' };
  if (a.fetches !== b.fetches) return { sign: a.fetches ? 1 : -1, by: 'held' };
  for (const by of order) {
    const sign = compareKey(a, b, by);
    if (sign !== 0) return { sign, by };
  }
  if (a.rendezvous !== b.rendezvous) return { sign: b.rendezvous - a.rendezvous, by: 'rendezvous' };
  return { sign: a.appliance.id < b.appliance.id ? -1 : 1, by: 'id' };
}

function compareKey(a: Candidate, b: Candidate, key: RankKey): number {
  switch (key) {
    case 'prefix-length':
      return b.prefixLength - a.prefixLength;
    case 'class':
      return a.classOrder - b.classOrder;
    case 'as-path':
      return a.asPathLength - b.asPathLength;
    case 'med':
      return a.med - b.med;
    case 'distance':
      return compareDistance(a.distanceKm, b.distanceKm);
  }
}

/** An unknown distance stands behind every known one. */
function compareDistance(a: number | null, b: number | null): number {
  if (a === b) return 0;
  if (a === null) return 1;
  return b === null ? -1 : a - b;
}
