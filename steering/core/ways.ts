import type { ViewAppliance } from './view.ts';

interface Choosable {
  readonly appliance: ViewAppliance;
}

/** An answer has at least so many ways, where there are so many. */
export const waysMin = 3;

/**
 * Chooses the answer from those that qualify, best first: distinct appliances, then an origin as the last way. Where all
 * that fit are of one site, the last place among them goes to the best of another: the second way stays the best cluster
 * mate, and a site that goes dark does not take every appliance of the answer with it. Further origins only fill up an
 * answer of fewer than `waysMin`. `waysMax` is 2 or more.
 */
export function chooseWays<T extends Choosable>(qualified: readonly T[], waysMax: number): T[] {
  const origins = qualified.filter(({ appliance }) => appliance.role === 'origin');
  const appliances = qualified.filter(({ appliance }) => appliance.role !== 'origin');
  const places = waysMax - Math.min(1, origins.length);
  const chosen = appliances.slice(0, places);
  const sites = new Set(chosen.map(({ appliance }) => appliance.site));
  if (places > 1 && chosen.length === places && sites.size === 1) {
    const elsewhere = appliances.find(({ appliance }) => !sites.has(appliance.site));
    if (elsewhere !== undefined) chosen[places - 1] = elsewhere;
  }
  const lastWays = Math.min(origins.length, Math.max(1, waysMin - chosen.length), waysMax);
  return [...chosen, ...origins.slice(0, lastWays)];
}
