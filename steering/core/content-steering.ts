import type { FilterName } from '../../common/contract/steering.ts';
import type { Ranking } from './rank.ts';

/** The ways of one playback in the order in which its player is to try them. */
export interface Priority {
  readonly pathways: readonly string[];
  /** One of them is ill, full or leaving: the player should soon ask again. */
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

/**
 * Orders the pathways that a session's manifests declare: the current rank restricted to them, then the rest of them, the
 * least bad first. Never others, and never fewer: the list must not stop overlapping with what the player knows
 * (ETSI TS 103 998), and one single pathway disables a player's own failover.
 *
 * Where no route at all reaches the address that asks, it is not the address the session was ranked for (IPv4 and IPv6
 * change in mid-play): then the session's own boxes that are well keep their order, and the origin stays last.
 *
 * `ranking` must have judged all of them (`also`); undefined where there is no map yet.
 */
export function orderPathways(declared: readonly string[], ranking: Ranking | undefined): Priority {
  if (ranking === undefined) return { pathways: declared, incident: true };
  const strayed = ranking.matchedPrefix === null;
  const ranks = new Map(ranking.qualified.map((candidate, at) => [candidate, at]));
  const known = new Map(
    [...ranking.qualified, ...ranking.removed].map((candidate) => [candidate.appliance.id, candidate]),
  );

  const weigh = (id: string): [group: number, within: number] => {
    const candidate = known.get(id);
    if (candidate === undefined) return [3, UNKNOWN];
    const at = ranks.get(candidate);
    if (at !== undefined) return [strayed && candidate.appliance.role === 'origin' ? 2 : 0, at];
    const { removedBy, condition } = candidate;
    if (strayed && condition === null && removedBy !== 'not-held') return [1, 0];
    const worst = Math.max(
      ...[removedBy, condition].map((filter) => (filter === null ? 0 : badness[filter])),
    );
    return [3, worst];
  };
  const weighed = declared.map((id) => ({ id, weight: weigh(id) }));
  // Array.prototype.sort is stable: equals stay in the order in which the session was ranked.
  weighed.sort((a, b) => a.weight[0] - b.weight[0] || a.weight[1] - b.weight[1]);
  return {
    pathways: weighed.map(({ id }) => id),
    incident: declared.some((id) => known.get(id)?.condition !== null),
  };
}

/** How long players keep an answer, by condition. */
export interface TtlPolicy {
  readonly healthyS: number;
  readonly incidentMinS: number;
  readonly incidentMaxS: number;
}

/** A TTL in whole seconds, at least 1. `fraction` in [0, 1) spreads the players of an incident over time. */
export function chooseTtlS(policy: TtlPolicy, incident: boolean, fraction: number): number {
  if (!incident) return Math.max(1, Math.round(policy.healthyS));
  const spread = Math.max(0, policy.incidentMaxS - policy.incidentMinS);
  return Math.max(1, Math.round(policy.incidentMinS + spread * fraction));
}
