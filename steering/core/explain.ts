import type { ExplainReply, FilterName, Pathway } from '../../common/contract/steering.ts';
import { formatAddress, formatPrefix } from '../../common/core/ip-address.ts';
import { routeClasses } from '../../common/core/route-table.ts';
import { headroomOf } from './filters.ts';
import type { NodeHealth } from './health.ts';
import { hasBit, rowOfBundle } from './holdings.ts';
import { quarantineOf } from './quarantine.ts';
import { compareCandidates, rank, type Candidate, type RankInput, type Ranking } from './rank.ts';
import { isCutOff, type ViewAppliance } from './view.ts';

/** The wire form of a way. */
export function pathwayOf({ id, url, site, cluster, role }: ViewAppliance): Pathway {
  return { id, url, site, cluster, role };
}

/** Why `rank` answers what it answers: the same computation, shown. */
export function explain(input: RankInput, nowMs: number): ExplainReply {
  const { bundle } = input;
  const ranking = rank(input, input.view.appliances.keys());
  const { qualified, removed, matchedLength } = ranking;
  return {
    client: formatAddress(input.client),
    ...(bundle !== undefined && { bundle }),
    mapSequence: input.view.sequence,
    mapAgeMs: Math.max(0, Math.round(nowMs - input.view.issuedAtMs)),
    matchedPrefix: matchedLength === 0 ? null : formatPrefix(input.client, matchedLength),
    place: ranking.place,
    candidates: [
      ...qualified.map((candidate, at) => ({
        ...shown(candidate),
        detail: detailOfQualified(candidate, ranking, input),
        rank: at + 1,
        decidedBy: decidedBy(qualified[at - 1], candidate, input),
      })),
      ...removed.map((candidate) => ({
        ...shown(candidate),
        detail: candidate.removedBy === null ? '' : detailOfRemoved(candidate, candidate.removedBy, input),
        rank: null,
        decidedBy: null,
      })),
    ],
    pathways: ranking.ways.map(({ appliance }) => pathwayOf(appliance)),
  };
}

function shown(candidate: Candidate) {
  const { appliance, classOrder, asPathLength, med, rendezvous, removedBy } = candidate;
  const { id, site, cluster } = appliance;
  const routeClass = routeClasses[classOrder] ?? 'none';
  // -1: no route, for people who would read /0 as a default route.
  const prefixLength = candidate.prefixLength === 0 ? -1 : candidate.prefixLength;
  const keys = {
    prefixLength,
    class: routeClass,
    asPathLength,
    med,
    distanceKm: candidate.distanceKm,
    rendezvous,
  };
  return { id, site, cluster, removedBy, keys };
}

function decidedBy(
  before: Candidate | undefined,
  candidate: Candidate,
  { policy }: RankInput,
): string | null {
  return before === undefined ? null : compareCandidates(before, candidate, policy.order).by;
}

function detailOfQualified(candidate: Candidate, { ways, overfull }: Ranking, input: RankInput): string {
  const at = ways.indexOf(candidate);
  const place = at < 0 ? 'qualifies, behind the ways that are answered' : `way ${at + 1} of ${ways.length}`;
  const why =
    candidate.appliance.role === 'origin'
      ? 'the origin, always last'
      : candidate.prefixLength > 0
        ? `reaches the client by a /${candidate.prefixLength}`
        : 'by place: no route of its own reaches the client';
  const load = candidate.spilled ? '; full, so this viewer is sent on while others have room' : '';
  const held = candidate.fetches
    ? '; it does not hold the bundle, and would fetch it'
    : heldInPart(candidate, input);
  return `${place}; ${why}${held}${load}${overfull ? '; everybody is full, so headroom was waived' : ''}`;
}

function heldInPart({ index, appliance }: Candidate, { view, bundle = '' }: RankInput): string {
  const { parts, rowBytes } = view.holdings;
  const row = rowOfBundle(view.holdings, bundle);
  if (row < 0 || !hasBit(parts, row * rowBytes, index)) return '';
  return `; it holds most of what is planned of the bundle there, and ${appliance.mayFetch ? 'fetches' : 'redirects to'} the rest`;
}

function detailOfRemoved({ appliance }: Candidate, removedBy: FilterName, input: RankInput): string {
  const probe = input.health.get(appliance.id);
  switch (removedBy) {
    case 'no-route':
      return isCutOff(appliance)
        ? 'it learns routes from its network and has none now (is its BGP session up?), so nobody is led to it'
        : `none of its ${appliance.routeCount} route(s) reaches the client, and it serves its own network only`;
    case 'address-family':
      return familyDetail(probe, input.family ?? input.client.family);
    case 'not-held':
      return rowOfBundle(input.view.holdings, input.bundle ?? '') >= 0
        ? notHeldDetail(appliance)
        : 'the map knows no holder of this bundle';
    case 'draining':
      return probe?.verdict === 'draining' ? probe.reason : 'it is being drained';
    case 'stale':
      return `the control plane has lost it, and the probes do not see it well: ${probe?.reason ?? 'not probed'}`;
    case 'unhealthy':
      return probe?.verdict === 'down'
        ? probe.reason
        : `it says ${quarantineOf(appliance, probe?.said) ?? 'it is not well'}`;
    case 'no-headroom':
      return `headroom ${headroomOf(appliance, probe).toFixed(3)} is below ${input.policy.headroomMin}`;
  }
}

function notHeldDetail({ mayRedirect }: ViewAppliance): string {
  return mayRedirect
    ? 'it does not hold most of what is planned of the bundle there'
    : 'it does not hold the whole bundle';
}

function familyDetail(health: NodeHealth | undefined, family: 4 | 6): string {
  return health?.downFamilies?.includes(family) === true ? health.reason : `it has no IPv${family} address`;
}
