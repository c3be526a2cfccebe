import type { Route } from '../../common/contract/documents.ts';
import type { Address, Prefix } from '../../common/core/ip-address.ts';
import { countRoutes, type RouteTable } from '../../common/core/route-table.ts';
import { longestRow, routeAt, rowsAbout } from './route-rows.ts';

/** Which routes of a table are asked for: all, the one that leads to a client, or those around and inside of a prefix. */
export type RoutePick =
  | { readonly kind: 'all' }
  | { readonly kind: 'client'; readonly address: Address }
  | { readonly kind: 'prefix'; readonly prefix: Prefix };

/** Some routes, and how many were found. */
export interface PickedRoutes {
  readonly rows: readonly Required<Route>[];
  readonly count: number;
}

/** Picks routes of a table, at most `limit` of each family or around a prefix. */
export function pickRoutes(table: RouteTable, pick: RoutePick, limit: number): PickedRoutes {
  switch (pick.kind) {
    case 'all': {
      const rows = ([4, 6] as const).flatMap((family) => {
        const length = Math.min(limit, table[family].lengths.length);
        return Array.from({ length }, (_, row) => routeAt(table[family], row));
      });
      return { rows, count: countRoutes(table) };
    }
    case 'client': {
      const row = longestRow(table, pick.address);
      const rows = row < 0 ? [] : [routeAt(table[pick.address.family], row)];
      return { rows, count: rows.length };
    }
    case 'prefix': {
      const routes = table[pick.prefix.address.family];
      const rows = rowsAbout(table, pick.prefix, limit).map((row) => routeAt(routes, row));
      return { rows, count: rows.length };
    }
  }
}
