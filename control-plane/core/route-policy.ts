import type { RefusedRoutes, RouteRefusal } from '../../common/contract/routes.ts';
import { parsePrefix, widthOf, type Prefix } from '../../common/core/ip-address.ts';
import {
  countRoutes,
  RouteColumns,
  type FamilyRoutes,
  type RouteTable,
} from '../../common/core/route-table.ts';
import { holdsPrefix, orderOfPrefixes, prefixAt, prefixOf } from './route-rows.ts';

/** What a partner may announce. */
export interface RoutePolicy {
  /** Prefixes with the longest more-specific that is taken of each; undefined: any. */
  readonly allowed: readonly { readonly prefix: string; readonly maxLength: number }[] | undefined;
  /** Most routes of one box, both families together. */
  readonly routesMax: number;
}

/** A table as it may be used, and what was refused of it. */
export interface AdmittedRoutes {
  readonly table: RouteTable;
  readonly refused: readonly RefusedRoutes[];
}

const examplesMax = 10;

/**
 * Takes of a box's routes those that its partner may announce. Where more are left than are allowed, those with the shortest
 * prefixes stay, which reach most; a /48 of IPv6 counts as a /24 of IPv4. The answer depends on nothing but the table and
 * the policy. Linear time.
 */
export function admitRoutes(table: RouteTable, policy: RoutePolicy): AdmittedRoutes {
  const refused = new Map<RouteRefusal, { count: number; examples: string[] }>();
  const refuse = (refusal: RouteRefusal, routes: FamilyRoutes, row: number): void => {
    const so = refused.get(refusal) ?? { count: 0, examples: [] };
    refused.set(refusal, so);
    if (so.count++ < examplesMax) so.examples.push(prefixAt(routes, row));
  };
  const allowed = admitAllowed(table, policy, refuse);
  const admitted = shorten(allowed, policy.routesMax, refuse);
  return {
    table: countRoutes(admitted) === countRoutes(table) ? table : admitted,
    refused: [...refused].map(([refusal, so]) => ({ refusal, ...so })),
  };
}

type Refuse = (refusal: RouteRefusal, routes: FamilyRoutes, row: number) => void;

function admitAllowed(table: RouteTable, { allowed }: RoutePolicy, refuse: Refuse): RouteTable {
  const bounds = allowed?.flatMap(({ prefix, maxLength }) => {
    const parsed = parsePrefix(prefix);
    return parsed === undefined ? [] : [{ ...parsed, maxLength }];
  });
  const admit = (family: 4 | 6): FamilyRoutes => {
    const routes = table[family];
    const own = bounds?.filter(({ address }) => address.family === family).sort(orderOfPrefixes);
    const judge = own === undefined ? () => undefined : judgeIn(own, routes);
    return filterRoutes(routes, (row) => {
      const refusal = routes.lengths[row] === 0 ? 'default' : judge(row);
      if (refusal !== undefined) refuse(refusal, routes, row);
      return refusal === undefined;
    });
  };
  return { 4: admit(4), 6: admit(6) };
}

type Bound = Prefix & { readonly maxLength: number };

/** Judges rows in their order: routes and bounds are both sorted, so the bounds around a route are a stack. */
function judgeIn(
  bounds: readonly Bound[],
  routes: FamilyRoutes,
): (row: number) => 'foreign' | 'too-specific' | undefined {
  const around: Bound[] = [];
  let next = 0;
  return (row) => {
    const route = prefixOf(routes, row);
    for (let bound = bounds[next]; bound !== undefined; bound = bounds[++next]) {
      if (orderOfPrefixes(bound, route) > 0) break;
      dropEnded(around, bound);
      around.push(bound);
    }
    dropEnded(around, route);
    if (around.length === 0) return 'foreign';
    return around.some(({ maxLength }) => route.length <= maxLength) ? undefined : 'too-specific';
  };
}

/** Leaves of a stack of nested prefixes those that hold one that comes after them. */
function dropEnded(around: Bound[], prefix: Prefix): void {
  for (let top = around.at(-1); top !== undefined && !holdsPrefix(top, prefix); top = around.at(-1))
    around.pop();
}

/** Keeps `routesMax` routes, those with the shortest prefixes; of equals the first. */
function shorten(table: RouteTable, routesMax: number, refuse: Refuse): RouteTable {
  if (countRoutes(table) <= routesMax) return table;
  const rankOf = (family: 4 | 6, row: number): number =>
    (table[family].lengths[row] ?? 0) * (family === 4 ? 2 : 1);
  const counts = new Uint32Array(129);
  for (const family of [4, 6] as const) {
    for (let row = 0; row < table[family].lengths.length; row++) {
      const rank = rankOf(family, row);
      counts[rank] = (counts[rank] ?? 0) + 1;
    }
  }
  let last = 0;
  let room = routesMax;
  while (room >= (counts[last] ?? 0)) room -= counts[last++] ?? 0;
  const keep = (family: 4 | 6): FamilyRoutes =>
    filterRoutes(table[family], (row) => {
      const rank = rankOf(family, row);
      const isKept = rank < last || (rank === last && room-- > 0);
      if (!isKept) refuse('over-limit', table[family], row);
      return isKept;
    });
  return { 4: keep(4), 6: keep(6) };
}

function filterRoutes(routes: FamilyRoutes, keep: (row: number) => boolean): FamilyRoutes {
  const kept = new RouteColumns(routes.family, routes.lengths.length);
  const wordCount = widthOf(routes.family) / 32;
  for (let row = 0; row < routes.lengths.length; row++) {
    if (!keep(row)) continue;
    kept.push(routes.words, row * wordCount, {
      length: routes.lengths[row] ?? 0,
      key: routes.keys[row] ?? 0,
    });
  }
  return kept.routes();
}
