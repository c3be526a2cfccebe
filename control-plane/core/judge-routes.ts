import type { RefusedRoutes } from '../../common/contract/routes.ts';
import { nameRouteTable, type NamedRouteTable } from '../../common/core/route-table-delta.ts';
import { countRoutes, hasOpenRoutes } from '../../common/core/route-table.ts';
import { admitRoutes, type RoutePolicy } from './route-policy.ts';

/** What of a box's routes is used, and what was refused. */
export interface JudgedRoutes {
  readonly used: NamedRouteTable;
  /** How many are used, of each family. */
  readonly ipv4: number;
  readonly ipv6: number;
  /** Some are not of the class `embedded`. */
  readonly open: boolean;
  /** How many were told. */
  readonly told: number;
  readonly refused: readonly RefusedRoutes[];
}

/** Judges what a box told by what its site may announce. Linear time. */
export function judgeRoutes(told: NamedRouteTable, policy: RoutePolicy): JudgedRoutes {
  const { table, refused } = admitRoutes(told.table, policy);
  return {
    used: table === told.table ? told : nameRouteTable(table),
    ipv4: table[4].lengths.length,
    ipv6: table[6].lengths.length,
    open: hasOpenRoutes(table),
    told: countRoutes(told.table),
    refused,
  };
}
