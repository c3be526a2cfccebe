import type { Route, RouteClass } from '../../common/contract/documents.ts';
import {
  formatAddress,
  formatPrefix,
  parsePrefix,
  type Address,
  type Prefix,
} from '../../common/core/ip-address.ts';
import { buildPrefixTable, type PrefixTable } from '../../common/core/prefix-table.ts';

/** Best first; `none` stands for a candidate that no route of its own brought in. */
export const routeClasses = ['embedded', 'private', 'public', 'none'] as const satisfies readonly (
  RouteClass | 'none'
)[];

/** How an appliance reaches a client: the keys that a route contributes to a ranking. */
export interface RouteKeys {
  readonly prefixLength: number;
  /** Index into `routeClasses`. */
  readonly classOrder: number;
  readonly asPathLength: number;
  readonly med: number;
}

/** The routes of one address family: a prefix table, and per prefix a run of the typed arrays. */
export interface RouteTable {
  readonly prefixes: PrefixTable;
  /** Calls `visit` with every route that reaches the address, longest prefix first. */
  reach(address: Address, visit: (appliance: number, route: RouteKeys) => void): Reach;
}

/** What was matched on the way: the longest prefix in text, and the block in which the answer is the same. */
export interface Reach {
  readonly matchedPrefix: string | null;
  readonly scopeLength: number;
}

/** A route with the index of the appliance that announces it. */
export interface OwnedRoute {
  readonly appliance: number;
  readonly route: Route;
}

export interface RouteTables {
  readonly 4: RouteTable;
  readonly 6: RouteTable;
  /** Default routes, which are never used, and those that are not prefixes. */
  readonly dropped: { readonly defaults: number; readonly invalid: number };
}

/** Builds the tables of both families. Default routes, prefixes with host bits and junk are dropped and counted. */
export function buildRouteTables(owned: Iterable<OwnedRoute>): RouteTables {
  const groups = { 4: new Groups(4), 6: new Groups(6) };
  const dropped = { defaults: 0, invalid: 0 };
  for (const { appliance, route } of owned) {
    const prefix = parsePrefix(route.prefix);
    if (prefix === undefined) dropped.invalid++;
    else if (prefix.length === 0) dropped.defaults++;
    else groups[prefix.address.family].add(prefix, { appliance, route });
  }
  return { 4: groups[4].build(), 6: groups[6].build(), dropped };
}

class Groups {
  readonly #family: 4 | 6;
  readonly #entries = new Map<string, { prefix: Prefix; routes: OwnedRoute[] }>();

  constructor(family: 4 | 6) {
    this.#family = family;
  }

  add(prefix: Prefix, owned: OwnedRoute): void {
    const key = `${formatAddress(prefix.address)}/${prefix.length}`;
    const group = this.#entries.get(key);
    if (group === undefined) this.#entries.set(key, { prefix, routes: [owned] });
    else group.routes.push(owned);
  }

  build(): RouteTable {
    const groups = [...this.#entries.values()];
    const flat = groups.flatMap((group) => group.routes);
    const first = new Uint32Array(groups.length + 1);
    groups.forEach((group, at) => (first[at + 1] = (first[at] ?? 0) + group.routes.length));
    const columns: Columns = {
      first,
      appliance: Uint32Array.from(flat, ({ appliance }) => appliance),
      classOrder: Uint8Array.from(flat, ({ route }) => routeClasses.indexOf(route.class)),
      asPathLength: Uint8Array.from(flat, ({ route }) => route.asPathLength),
      med: Uint32Array.from(flat, ({ route }) => route.med ?? 0),
    };
    const prefixes = buildPrefixTable(
      this.#family,
      groups.map((group) => group.prefix),
    );
    return { prefixes, reach: (address, visit) => reach({ prefixes, columns }, address, visit) };
  }
}

interface Columns {
  readonly first: Uint32Array;
  readonly appliance: Uint32Array;
  readonly classOrder: Uint8Array;
  readonly asPathLength: Uint8Array;
  readonly med: Uint32Array;
}

function reach(
  { prefixes, columns }: { prefixes: PrefixTable; columns: Columns },
  address: Address,
  visit: (appliance: number, route: RouteKeys) => void,
): Reach {
  const match = prefixes.lookup(address);
  for (let entry = match.entry; entry >= 0; entry = prefixes.parentOf(entry)) {
    const end = columns.first[entry + 1] ?? 0;
    for (let at = columns.first[entry] ?? 0; at < end; at++) {
      visit(columns.appliance[at] ?? 0, {
        prefixLength: prefixes.lengthOf(entry),
        classOrder: columns.classOrder[at] ?? 0,
        asPathLength: columns.asPathLength[at] ?? 0,
        med: columns.med[at] ?? 0,
      });
    }
  }
  return {
    matchedPrefix: match.entry < 0 ? null : formatPrefix(address, match.prefixLength),
    scopeLength: match.scopeLength,
  };
}
