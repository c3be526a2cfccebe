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

/** The keys of a distinct route of the lists by a prefix of this length; those of none behind the last. */
export function rankedRouteOf({ keys }: RouteLists, route: number, prefixLength: number): RankedRoute {
  const key = keys[route];
  if (key === undefined) return unrouted;
  const { classOrder, asPathLength, med } = unpackRouteKeys(key);
  return { prefixLength, classOrder, asPathLength, med };
}

/** One more than the greatest packed number of `PackedRankKeys`: 8 bits of prefix, 2 of class, 8 of AS path, 32 of MED. */
export const packedRange = 2 ** 50;

// What stands above all keys, in one number with those that are compared first: origins last, then whoever is full for this
// viewer, then whoever would have to fetch.
export const ORIGIN = 4;
export const SPILLED = 2;
export const FETCHES = 1;

const ranges: Readonly<Record<Exclude<RankKey, 'distance'>, number>> = {
  'prefix-length': 2 ** 8,
  class: 2 ** 2,
  'as-path': 2 ** 8,
  med: 2 ** 32,
};

/**
 * All keys of each distinct route but the distance, packed into two numbers in the order of a policy: those that are compared before
 * the distance, and those after it. The smaller is the better. Those of a route are packed when they are first asked
 * for, so that a new map costs nothing here. Keys that the order does not name are not compared.
 */
export class PackedRankKeys {
  /** Whether the distance is compared, and keys behind it. */
  readonly byDistance: boolean;
  readonly hasAfter: boolean;
  /** The number that stands for no route: it is one behind the last. */
  readonly unrouted: number;
  readonly #lists: RouteLists;
  readonly #first: readonly RankKey[];
  readonly #then: readonly RankKey[];
  // What a bit of the prefix is worth in each.
  readonly #beforeLength: number;
  readonly #afterLength: number;
  // One more than the packed number of each by a prefix of all bits; 0: not packed yet.
  readonly #before: Float64Array;
  readonly #after: Float64Array;

  constructor(lists: RouteLists, order: readonly RankKey[]) {
    const cut = order.includes('distance') ? order.indexOf('distance') : order.length;
    this.#lists = lists;
    this.#first = order.slice(0, cut);
    this.#then = order.slice(cut + 1);
    this.byDistance = cut < order.length;
    this.hasAfter = this.#then.length > 0;
    this.unrouted = lists.keys.length;
    this.#beforeLength = worthOfLength(this.#first);
    this.#afterLength = worthOfLength(this.#then);
    this.#before = new Float64Array(lists.keys.length + 1);
    this.#after = new Float64Array(this.hasAfter ? lists.keys.length + 1 : 0);
  }

  /** What is compared before the distance, of a route by a prefix of this length. */
  before(route: number, length: number): number {
    const known = this.#before[route] ?? 0;
    const packed = known === 0 ? this.#pack(this.#before, route, this.#first) : known;
    return packed - 1 + (BITS_MAX - length) * this.#beforeLength;
  }

  /** What is compared after it. */
  after(route: number, length: number): number {
    const known = this.#after[route] ?? 0;
    const packed = known === 0 ? this.#pack(this.#after, route, this.#then) : known;
    return packed - 1 + (BITS_MAX - length) * this.#afterLength;
  }

  /** Compares two routes by prefixes of one length by all keys but the distance; below 0 where the first is the better. */
  compareRoutes(a: number, b: number): number {
    const before = this.before(a, 0) - this.before(b, 0);
    return before === 0 && this.hasAfter ? this.after(a, 0) - this.after(b, 0) : before;
  }

  #pack(column: Float64Array, route: number, order: readonly RankKey[]): number {
    const ranked = { ...rankedRouteOf(this.#lists, route, BITS_MAX), prefixLength: BITS_MAX };
    return (column[route] = 1 + pack(ranked, order));
  }
}

const BITS_MAX = 128;

/** What one bit less of the prefix adds to a number that is packed in this order. */
function worthOfLength(order: readonly RankKey[]): number {
  const at = order.indexOf('prefix-length');
  if (at < 0) return 0;
  return order.slice(at + 1).reduce((worth, key) => (key === 'distance' ? worth : worth * ranges[key]), 1);
}

function pack(route: RankedRoute, order: readonly RankKey[]): number {
  let packed = 0;
  for (const key of order) if (key !== 'distance') packed = packed * ranges[key] + valueOf(route, key);
  return packed;
}

function valueOf(route: RankedRoute, key: Exclude<RankKey, 'distance'>): number {
  switch (key) {
    case 'prefix-length':
      return BITS_MAX - route.prefixLength;
    case 'class':
      return route.classOrder;
    case 'as-path':
      return route.asPathLength;
    case 'med':
      return route.med;
  }
}
