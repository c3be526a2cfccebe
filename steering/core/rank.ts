import type { Place } from '../../common/contract/documents.ts';
import type { FilterName } from '../../common/contract/steering.ts';
import { formatPrefix, type Address } from '../../common/core/ip-address.ts';
import { hashText, rendezvousScore } from '../../common/core/rendezvous.ts';
import { distanceKm } from './distance.ts';
import type { NodeHealth } from './health.ts';
import { quarantineOf } from './quarantine.ts';
import { routeClasses, type RouteKeys } from './route-table.ts';
import { holdsBundle, type SteeringView, type ViewAppliance } from './view.ts';
import { chooseWays } from './ways.ts';

/** A key by which candidates are compared, in words of the configuration. */
export type RankKey = 'prefix-length' | 'class' | 'as-path' | 'med' | 'distance';

export const rankKeys: readonly RankKey[] = ['prefix-length', 'class', 'as-path', 'med', 'distance'];

export interface RankPolicy {
  /** The keys that are compared, most important first. */
  readonly order: readonly RankKey[];
  /** Appliances with a smaller share of free capacity get nobody. */
  readonly headroomMin: number;
  /** How many ways an answer has at most, the origin included. */
  readonly waysMax: number;
}

export const rankPolicyDefault: RankPolicy = { order: rankKeys, headroomMin: 0.05, waysMax: 4 };

export interface RankInput {
  readonly view: SteeringView;
  /** What is believed of each node, by its id. */
  readonly health: ReadonlyMap<string, NodeHealth>;
  readonly client: Address;
  /** The family in which the client will call; its own unless given (DNS answers for a family). */
  readonly family?: 4 | 6 | undefined;
  /** Left out by DNS, whose names carry no bundle yet: then no one is asked to hold it. */
  readonly bundle?: string | undefined;
  /** Where the client is, if that is known. */
  readonly place?: Place | undefined;
  /** Where a client is taken to be that no route reaches and whose place is not known. */
  readonly placeUnknown?: Place | undefined;
  readonly policy: RankPolicy;
}

/** An appliance or origin with the keys by which it is compared. */
export interface Candidate extends RouteKeys {
  readonly index: number;
  readonly appliance: ViewAppliance;
  readonly distanceKm: number | null;
  readonly rendezvous: number;
  /** What is wrong with it whoever asks: the filter of its state and health that it fails, if any. */
  readonly condition: FilterName | null;
  removedBy: FilterName | null;
}

/** A decision with all that led to it. */
export interface Ranking {
  readonly matchedPrefix: string | null;
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

/**
 * Ranks the ways to a bundle for a client, as algorithms says: filters in their order, then the keys in the order of the
 * policy, then weighted rendezvous on the bundle, then the id. Pure: the same input has the same answer everywhere.
 * `also` are indexes of appliances to be judged even where no route brings them in.
 */
export function rank(input: RankInput, also: Iterable<number> = []): Ranking {
  const { view, client, policy } = input;
  const routes = new Map<number, RouteKeys>();
  const found = view.routes[client.family].reach(client, (appliance, keys) => {
    // Longest prefix first: only routes of one length compete.
    const known = routes.get(appliance);
    if (known === undefined || (known.prefixLength === keys.prefixLength && isBetter(keys, known))) {
      routes.set(appliance, keys);
    }
  });
  // Geography guesses only where no route matches.
  const place = input.place ?? (found.matchedPrefix === null ? input.placeUnknown : undefined);
  const key = hashText(input.bundle ?? formatPrefix(client, found.scopeLength));
  const candidates: Candidate[] = [];
  for (const index of new Set([...routes.keys(), ...view.everywhere, ...also])) {
    const route = routes.get(index);
    const appliance = view.appliances[index];
    if (appliance === undefined) continue;
    const condition = conditionOf(appliance, input);
    candidates.push({
      ...(route ?? unrouted),
      index,
      appliance,
      distanceKm: place && appliance.place ? distanceKm(place, appliance.place) : null,
      rendezvous: rendezvousScore(appliance, key),
      condition,
      removedBy: reachFilter({ index, appliance, isRouted: route !== undefined }, input) ?? condition,
    });
  }
  let qualified = candidates.filter((candidate) => candidate.removedBy === null);
  const overfull = qualified.length === 0;
  // A full box is better than none.
  if (overfull) qualified = candidates.filter((candidate) => candidate.removedBy === 'no-headroom');
  for (const candidate of qualified) candidate.removedBy = null;
  qualified.sort((a, b) => compareCandidates(a, b, policy.order).sign);
  return {
    matchedPrefix: found.matchedPrefix,
    scopeLength: found.scopeLength,
    qualified,
    removed: candidates.filter((candidate) => candidate.removedBy !== null),
    ways: chooseWays(qualified, policy.waysMax),
    overfull: overfull && qualified.length > 0,
  };
}

const unrouted: RouteKeys = {
  prefixLength: 0,
  classOrder: routeClasses.indexOf('none'),
  asPathLength: 0,
  med: 0,
};

/** The first filter between a client and an appliance. An origin is every answer's last way: none applies to it. */
function reachFilter(
  { index, appliance, isRouted }: { index: number; appliance: ViewAppliance; isRouted: boolean },
  { view, client, family = client.family, bundle, health }: RankInput,
): FilterName | null {
  if (appliance.role === 'origin') return null;
  if (!isRouted && !appliance.open) return 'no-route';
  const isFamilyDown = health.get(appliance.id)?.downFamilies?.includes(family) === true;
  if (isFamilyDown || isUnreachable(appliance, family)) return 'address-family';
  return bundle !== undefined && !holdsBundle(view, index, bundle) ? 'not-held' : null;
}

/** The first filter that an appliance fails whoever asks. A full origin is still the last way. */
function conditionOf(appliance: ViewAppliance, { health, policy }: RankInput): FilterName | null {
  const { verdict, said } = health.get(appliance.id) ?? {};
  if (appliance.state === 'draining' || verdict === 'draining') return 'draining';
  // Lost to the control plane but well in our own eyes: it serves on (ADR 6), so it is steered to.
  if (appliance.state === 'lost' && verdict !== 'up') return 'stale';
  if (verdict === 'down' || quarantineOf(appliance, said) !== undefined) return 'unhealthy';
  const headroom = said?.headroom ?? appliance.headroom;
  return appliance.role !== 'origin' && headroom < policy.headroomMin ? 'no-headroom' : null;
}

/** Whether it is known to have addresses, but none of the family. */
function isUnreachable({ addresses }: ViewAppliance, family: 4 | 6): boolean {
  return addresses[family].length === 0 && addresses[family === 4 ? 6 : 4].length > 0;
}

/** What decided between two candidates: a key of the policy, or one of the rules around it. */
export type DecidedBy = 'role' | RankKey | 'rendezvous' | 'id';

/** Compares two candidates; a negative sign puts `a` first. */
export function compareCandidates(
  a: Candidate,
  b: Candidate,
  order: readonly RankKey[],
): { sign: number; by: DecidedBy } {
  if (a.appliance.role !== b.appliance.role)
    return { sign: a.appliance.role === 'origin' ? 1 : -1, by: 'role' };
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

function isBetter(a: RouteKeys, b: RouteKeys): boolean {
  return (a.classOrder - b.classOrder || a.asPathLength - b.asPathLength || a.med - b.med) < 0;
}
