import type { Route } from '../../common/contract/documents.ts';
import {
  formatPrefix,
  networkOf,
  parsePrefix,
  widthOf,
  type Address,
  type Prefix,
} from '../../common/core/ip-address.ts';
import {
  createRouteTableBuilder,
  routeClasses,
  unpackRouteKeys,
  type FamilyRoutes,
  type RouteTable,
} from '../../common/core/route-table.ts';

/** Builds a table of listed routes; what is no prefix is left out and given back. */
export function tableOfRoutes(routes: readonly Route[]): { table: RouteTable; unreadable: string[] } {
  const builder = createRouteTableBuilder();
  const unreadable: string[] = [];
  for (const { prefix, asPathLength, med = 0, class: name } of routes) {
    const parsed = parsePrefix(prefix);
    if (parsed === undefined) unreadable.push(prefix);
    else builder.add(parsed, { classOrder: routeClasses.indexOf(name), asPathLength, med });
  }
  return { table: builder.build(), unreadable };
}

/** A row as a route. */
export function routeAt(routes: FamilyRoutes, row: number): Required<Route> {
  const { classOrder, asPathLength, med } = unpackRouteKeys(routes.keys[row] ?? 0);
  const name = routeClasses[classOrder] ?? 'public';
  return { prefix: prefixAt(routes, row), class: name, asPathLength, med };
}

/** All routes of a table. */
export function listRoutes(table: RouteTable): Required<Route>[] {
  return ([4, 6] as const).flatMap((family) =>
    Array.from(table[family].lengths, (_, row) => routeAt(table[family], row)),
  );
}

/** A row's prefix in its usual text. */
export function prefixAt(routes: FamilyRoutes, row: number): string {
  const { address, length } = prefixOf(routes, row);
  return formatPrefix(address, length);
}

/** A row's prefix. */
export function prefixOf(routes: FamilyRoutes, row: number): Prefix {
  const wordCount = widthOf(routes.family) / 32;
  const words = [...routes.words.subarray(row * wordCount, (row + 1) * wordCount)];
  return { address: { family: routes.family, words }, length: routes.lengths[row] ?? 0 };
}

/** The row of the longest prefix that holds the address, -1 where none does. O(b log n) for b bits. */
export function longestRow(table: RouteTable, address: Address): number {
  const routes = table[address.family];
  for (let length = widthOf(address.family); length >= 0; length--) {
    const row = rowOf(routes, { address: networkOf(address, length), length });
    if (row >= 0) return row;
  }
  return -1;
}

/** The rows of the prefixes around this one, of itself and of at most `limit` inside it, in order. */
export function rowsAbout(table: RouteTable, prefix: Prefix, limit: number): number[] {
  const routes = table[prefix.address.family];
  const rows: number[] = [];
  for (let length = 0; length < prefix.length; length++) {
    const row = rowOf(routes, { address: networkOf(prefix.address, length), length });
    if (row >= 0) rows.push(row);
  }
  const end = Math.min(routes.lengths.length, firstRow(routes, prefix) + limit);
  for (let row = firstRow(routes, prefix); row < end && holdsPrefix(prefix, prefixOf(routes, row)); row++)
    rows.push(row);
  return rows;
}

/** Whether all of `inner` is in `outer`, of the same family. */
export function holdsPrefix(outer: Prefix, inner: Prefix): boolean {
  if (outer.length > inner.length) return false;
  for (let word = 0, bits = outer.length; bits > 0; word++, bits -= 32) {
    const mask = bits >= 32 ? 0xffffffff : ~(0xffffffff >>> bits);
    if ((((outer.address.words[word] ?? 0) ^ (inner.address.words[word] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}

/** Compares two prefixes of one family by address, then length. */
export function orderOfPrefixes(a: Prefix, b: Prefix): number {
  for (let word = 0; word < a.address.words.length; word++) {
    const difference = (a.address.words[word] ?? 0) - (b.address.words[word] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function rowOf(routes: FamilyRoutes, prefix: Prefix): number {
  const row = firstRow(routes, prefix);
  return row < routes.lengths.length && orderOfPrefixes(prefixOf(routes, row), prefix) === 0 ? row : -1;
}

/** The first row that is not before the prefix. */
function firstRow(routes: FamilyRoutes, prefix: Prefix): number {
  let low = 0;
  let high = routes.lengths.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (orderOfPrefixes(prefixOf(routes, middle), prefix) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
