import type { Pathway } from '../../common/contract/steering.ts';
import { hashText, rendezvousScore } from '../../common/core/rendezvous.ts';

export interface PathwayChoice {
  /** As steering ranked them, best first; empty when it could not be asked. */
  readonly ranked: readonly Pathway[];
  /** Everyone that is ready and holds the bundle, origins included. */
  readonly holders: readonly Pathway[];
  /** Spreads sessions over holders that nothing ranks. */
  readonly sessionId: string;
  readonly pathwaysMax: number;
}

/**
 * The pathways of a session: what steering says, since what it left out serves other networks or is not well; holders in an
 * order that spreads sessions over them only where it could not be asked. Distinct, bounded, an origin last: it is every
 * answer's last way.
 */
export function choosePathways({ ranked, holders, sessionId, pathwaysMax }: PathwayChoice): Pathway[] {
  const spreadHolders = spread(holders, sessionId);
  const origin = [...ranked, ...spreadHolders].find(({ role }) => role === 'origin');
  const source = ranked.length > 0 ? ranked : spreadHolders;
  const appliances = new Map(source.filter(isAppliance).map((pathway) => [pathway.id, pathway]));
  const first = [...appliances.values()].slice(0, pathwaysMax - (origin === undefined ? 0 : 1));
  return origin === undefined ? first : [...first, origin];
}

function isAppliance({ role }: Pathway): boolean {
  return role === 'appliance';
}

function spread(holders: readonly Pathway[], sessionId: string): Pathway[] {
  const key = hashText(sessionId);
  const scores = new Map(
    holders.map(({ id }) => [id, rendezvousScore({ hash: hashText(id), weight: 1 }, key)]),
  );
  return holders.toSorted((a, b) => (scores.get(b.id) ?? 0) - (scores.get(a.id) ?? 0));
}
