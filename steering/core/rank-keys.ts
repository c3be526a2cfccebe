import { unpackRouteKeys } from '../../common/core/route-table.ts';
import type { RouteLists } from './route-lists.ts';

/** A key by which candidates are compared, in words of the configuration. */
export type RankKey = 'prefix-length' | 'class' | 'as-path' | 'med' | 'distance';

export const rankKeys: readonly RankKey[] = ['prefix-length', 'class', 'as-path', 'med', 'distance'];

/** How an appliance reaches a client: the keys that a route contributes to a ranking. */
export interface RankedRoute {
  /** 0 where no route of its own brings the appliance in. */
  readonly prefixLength: number;
  /** Index into the classes of a route; one more where there is none. */
  readonly classOrder: number;
  readonly asPathLength: number;
  readonly med: number;
}

/** The keys of a candidate that no route of its own brings in. */
export const unrouted: RankedRoute = { prefixLength: 0, classOrder: 3, asPathLength: 0, med: 0 };

/** The keys of a distinct route of the lists; those of none behind the last. */
export function rankedRouteOf({ lengths, keys }: RouteLists, route: number): RankedRoute {
  const prefixLength = lengths[route];
  return prefixLength === undefined ? unrouted : { prefixLength, ...unpackRouteKeys(keys[route] ?? 0) };
}

/**
 * All keys of each distinct route but the distance, packed into two numbers in the order of a policy: those that are compared
 * before the distance, and those after it. The smaller is the better. Behind the last stands what has no route.
 */
export interface PackedRankKeys {
  readonly before: Float64Array;
  readonly after: Float64Array;
  /** Whether the distance is compared. */
  readonly byDistance: boolean;
  /** Whether whoever has no route stands behind all who have one, whatever else. */
  readonly unroutedLast: boolean;
}

/** One more than the greatest packed number: 8 bits of prefix, 2 of class, 8 of AS path, 32 of MED. */
export const packedRange = 2 ** 50;

const ranges: Readonly<Record<Exclude<RankKey, 'distance'>, number>> = {
  'prefix-length': 2 ** 8,
  class: 2 ** 2,
  'as-path': 2 ** 8,
  med: 2 ** 32,
};

/** Packs the keys of all distinct routes. Keys that the order does not name are not compared. */
export function packRankKeys(lists: RouteLists, order: readonly RankKey[]): PackedRankKeys {
  const cut = order.includes('distance') ? order.indexOf('distance') : order.length;
  const first = order.slice(0, cut);
  const then = order.slice(cut + 1);
  const count = lists.keys.length + 1;
  const before = new Float64Array(count);
  const after = new Float64Array(count);
  for (let route = 0; route < count; route++) {
    const keys = rankedRouteOf(lists, route);
    before[route] = pack(keys, first);
    after[route] = pack(keys, then);
  }
  const [leading] = order;
  const unroutedLast = leading === 'prefix-length' || leading === 'class';
  return { before, after, byDistance: cut < order.length, unroutedLast };
}

function pack(route: RankedRoute, order: readonly RankKey[]): number {
  let packed = 0;
  for (const key of order) if (key !== 'distance') packed = packed * ranges[key] + valueOf(route, key);
  return packed;
}

function valueOf(route: RankedRoute, key: Exclude<RankKey, 'distance'>): number {
  switch (key) {
    case 'prefix-length':
      return 128 - route.prefixLength;
    case 'class':
      return route.classOrder;
    case 'as-path':
      return route.asPathLength;
    case 'med':
      return route.med;
  }
}
