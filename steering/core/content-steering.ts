import { sortFew } from '../../common/core/sort-few.ts';
import type { FilterName } from '../../common/contract/steering.ts';
import type { RankKey } from './rank-keys.ts';
import { compareCandidates, type Candidate, type Ranking } from './rank.ts';
import { isCutOff } from './view.ts';
import type { SteeredSession } from './steered-session.ts';

/** The ways of one playback in the order in which its player is to try them. */
export interface Priority {
  readonly pathways: readonly string[];
  /** One of them is ill, full or leaving, or does not hold the title yet: the player should soon ask again. */
  readonly incident: boolean;
}

// How bad a way is that does not qualify. No route is the least: it serves, only not for this client by right.
const badness: Readonly<Record<FilterName, number>> = {
  'no-headroom': 0,
  'no-route': 1,
  'address-family': 1,
  'not-held': 2,
  draining: 3,
  stale: 4,
  unhealthy: 5,
};
const UNKNOWN = 6;

/** When a playback stays where it is. */
export interface StayPolicy {
  /** The keys that ways are compared by. */
  readonly order: readonly RankKey[];
  /** Whether it is this one's turn to leave a box that is merely full. */
  readonly leavesFull: boolean;
}

/** The share of a full box's players that leave it with one answer: few, since each heartbeat tells whether that was enough. */
export const FULL_LEAVE_SHARE = 0.25;

interface Way {
  readonly id: string;
  /** What was found out about it; undefined where it is not in the map. */
  readonly candidate: Candidate | undefined;
  /** One of `group`; and its place in there, the smaller the better. */
  readonly group: number;
  readonly within: number;
}

/** Groups of ways, best first; within a group the rank decides, or how bad a way is. */
const group = { ranked: 0, strayed: 1, strayedOrigin: 2, left: 3, removed: 4 } as const;

/**
 * Orders the pathways that a session's manifests declare: the current rank restricted to them, then those that failed this
 * player a while ago, then the rest of them, the least bad first. Never others, and never fewer: the list must not stop
 * overlapping with what the player knows (ETSI TS 103 998), and one single pathway disables a player's own failover.
 *
 * A playback stays where it is unless it gains: its way does not qualify any more (ill, draining, withdrawn), or has failed
 * it, or another one is better by a key of the policy. Among equals by every key (a rendezvous tie) nobody moves. A box that is
 * merely full keeps all but those whose turn it is (`leavesFull`), lest its whole audience wander from box to box.
 *
 * Where no route at all reaches the address that asks, it is not the address the session was ranked for (IPv4 and IPv6
 * change in mid-play): then the session's own boxes that are well keep their order, but for those that have lost all their
 * routes, and the origin stays last.
 *
 * `ranking` must have judged all of them (`also`) by `order`; undefined where there is no map yet.
 */
export function orderPathways(
  { declared, current, left }: SteeredSession,
  ranking: Ranking | undefined,
  { order, leavesFull }: StayPolicy,
): Priority {
  if (ranking === undefined) return { pathways: declared, incident: true };
  const ways = declared.map((id) => judgeWay(id, ranking, left.has(id)));
  // Stable: equals stay in the order in which the session was ranked.
  sortFew(ways, compareWays);
  const mayStay = ({ id, candidate, group: of }: Way, best: Way): boolean => {
    if (left.has(id) || isBetterByKey(best.candidate, candidate, order)) return false;
    const isMerelyFull = candidate?.removedBy === 'no-headroom';
    return isMerelyFull ? !leavesFull : of < group.left && of === best.group;
  };
  const [best] = ways;
  const stays = ways.find(({ id }) => id === current);
  if (stays !== undefined && best !== undefined && mayStay(stays, best)) {
    ways.copyWithin(1, 0, ways.indexOf(stays));
    ways[0] = stays;
  }
  return {
    pathways: ways.map(({ id }) => id),
    incident:
      left.size > 0 || ways.some(({ candidate }) => candidate?.condition !== null) || awaitsHolder(ways),
  };
}

/** Whether the origin is best while one of the boxes is only not known to hold the title: the next map may say that it does. */
function awaitsHolder([best, ...others]: readonly Way[]): boolean {
  const isOrigin = best?.candidate?.appliance.role === 'origin';
  return isOrigin && others.some(({ candidate }) => candidate?.removedBy === 'not-held');
}

function compareWays(a: Way, b: Way): number {
  return a.group - b.group || a.within - b.within;
}

function judgeWay(id: string, { qualified, removed, matchedLength }: Ranking, isLeft: boolean): Way {
  const strayed = matchedLength === 0;
  const at = placeOf(id, qualified);
  const candidate = at < 0 ? removed[placeOf(id, removed)] : qualified[at];
  let of: number = group.removed;
  let within = UNKNOWN;
  if (candidate !== undefined) {
    const { removedBy, condition, appliance } = candidate;
    const mayKeep = condition === null && removedBy !== 'not-held' && !isCutOff(appliance);
    if (at >= 0) {
      of = strayed && appliance.role === 'origin' ? group.strayedOrigin : group.ranked;
      within = at;
    } else if (strayed && mayKeep) {
      of = group.strayed;
      within = 0;
    } else within = Math.max(badnessOf(removedBy), badnessOf(condition));
  }
  return { id, candidate, group: isLeft ? Math.max(of, group.left) : of, within };
}

/** Where an appliance stands among candidates; -1 where it does not. */
function placeOf(id: string, candidates: readonly Candidate[]): number {
  let at = candidates.length - 1;
  while (at >= 0 && candidates[at]?.appliance.id !== id) at--;
  return at;
}

function badnessOf(filter: FilterName | null): number {
  return filter === null ? 0 : badness[filter];
}

/** Whether a playback gains by going from `b` to `a`: a key of the policy, or the origin's place behind all boxes, says so. */
function isBetterByKey(
  a: Candidate | undefined,
  b: Candidate | undefined,
  order: readonly RankKey[],
): boolean {
  if (a === undefined || b === undefined || a === b) return false;
  const { sign, by } = compareCandidates(a, b, order);
  return sign < 0 && (by === 'role' || order.some((key) => key === by));
}

/** How long players keep an answer, by condition. */
export interface TtlPolicy {
  readonly healthyS: number;
  /** The share of `healthyS` by which players are spread around it, so that an audience that came at once does not ask at once. */
  readonly healthySpread?: number;
  readonly incidentMinS: number;
  readonly incidentMaxS: number;
}

/** A TTL in whole seconds, at least 1. `fraction` in [0, 1) spreads the players over time. */
export function chooseTtlS(policy: TtlPolicy, incident: boolean, fraction: number): number {
  const { healthyS, healthySpread = 0, incidentMinS, incidentMaxS } = policy;
  const wanted = incident
    ? incidentMinS + Math.max(0, incidentMaxS - incidentMinS) * fraction
    : healthyS * (1 + healthySpread * (2 * fraction - 1));
  return Math.max(1, Math.round(wanted));
}
