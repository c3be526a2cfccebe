/** A node that holds every file of a bundle now. */
export interface BundleHolder {
  readonly id: string;
  readonly role: 'appliance' | 'origin';
  readonly cluster: string;
}

/** A cluster in which boxes are to hold a bundle. */
export interface WantingCluster {
  readonly cluster: string;
  readonly site: string;
  /** How many of its boxes are to hold it. */
  readonly copies: number;
}

/** What decides whether a title may be played. */
export interface LiveInput {
  readonly holders: readonly BundleHolder[];
  /** Where placement wants copies; undefined until it has planned with this bundle. */
  readonly wanting: readonly WantingCluster[] | undefined;
  /** Whether there is any appliance that could hold it. */
  readonly appliancesExist: boolean;
  /** A site's viewers wait for so many copies in a cluster of theirs, or for all that are wanted there; 0: one at any site is enough for all. */
  readonly copiesMin: number;
}

/** Whether a title may be played, and at which sites it may not yet. */
export interface Liveness {
  readonly isLive: boolean;
  readonly waitingSites: readonly string[];
}

const nowhere: Liveness = { isLive: false, waitingSites: [] };
const everywhere: Liveness = { isLive: true, waitingSites: [] };

/**
 * Where a title goes live (algorithms, fill planning step 9): the origin serves it, and where appliances exist enough copies stand at a
 * site that wants it; the other sites follow one by one. What placement wants nowhere (no room, no demand) is played from
 * the origin.
 */
export function livenessOf({ holders, wanting, appliancesExist, copiesMin }: LiveInput): Liveness {
  if (!holders.some(({ role }) => role === 'origin')) return nowhere;
  if (!appliancesExist) return everywhere;
  if (wanting === undefined) return nowhere;
  if (wanting.length === 0) return everywhere;
  const standing = Map.groupBy(
    holders.filter(({ role }) => role === 'appliance'),
    ({ cluster }) => cluster,
  );
  const isEnough = ({ cluster, copies }: WantingCluster): boolean =>
    (standing.get(cluster)?.length ?? 0) >= Math.min(copies, Math.max(1, copiesMin));
  const live = new Set(wanting.filter(isEnough).map(({ site }) => site));
  if (live.size === 0) return nowhere;
  if (copiesMin === 0) return everywhere;
  const waiting = new Set(wanting.map(({ site }) => site)).difference(live);
  return { isLive: true, waitingSites: [...waiting].sort() };
}
