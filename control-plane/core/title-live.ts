/** A node that holds every file of a bundle now. */
export interface BundleHolder {
  readonly id: string;
  readonly role: 'appliance' | 'origin';
  readonly cluster: string;
}

/** What decides whether a title may be played. */
export interface LiveInput {
  readonly holders: readonly BundleHolder[];
  /** Clusters in which placement wants a copy; undefined until it has planned with this bundle. */
  readonly clustersWanting: readonly string[] | undefined;
  /** Whether there is any appliance that could hold it. */
  readonly appliancesExist: boolean;
  /** `any`: one cluster is enough; `all`: every cluster that wants it must hold a copy. */
  readonly clusters: 'any' | 'all';
}

/**
 * Whether a title goes live (algorithms, fill planning step 9): the origin serves it, and where appliances exist a copy
 * stands in one of the clusters that want it, or in all of them. What placement wants nowhere (no room, no demand) is
 * played from the origin.
 */
export function goesLive(input: LiveInput): boolean {
  const { holders, clustersWanting, appliancesExist, clusters } = input;
  if (!holders.some(({ role }) => role === 'origin')) return false;
  if (!appliancesExist) return true;
  if (clustersWanting === undefined) return false;
  const holding = new Set(holders.filter(({ role }) => role === 'appliance').map(({ cluster }) => cluster));
  if (clustersWanting.length === 0) return true;
  return clusters === 'all'
    ? clustersWanting.every((cluster) => holding.has(cluster))
    : clustersWanting.some((cluster) => holding.has(cluster));
}
