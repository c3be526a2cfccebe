import type { RefusedRoutes, RouteFault, RouteRefusal } from '../../common/contract/routes.ts';
import { parseAddress } from '../../common/core/ip-address.ts';
import {
  countRoutes,
  RouteColumns,
  walkRows,
  type FamilyRoutes,
  type RouteTable,
} from '../../common/core/route-table.ts';
import { findDefaultParts } from './route-cover.ts';
import { longestRow, prefixAt } from './route-rows.ts';

/** What is known of the routes of one box. */
export interface LintedBox {
  readonly id: string;
  readonly addresses: readonly string[];
  /** It learns routes, however many it has now. */
  readonly routeFeed: boolean;
  /** What is used of its routes. */
  readonly table: RouteTable;
  readonly refused: readonly RefusedRoutes[];
  readonly flapping: readonly { readonly prefix: string; readonly changes: number }[];
}

/** A box of the same site, or of another one of its partner. */
export interface Mate extends Pick<LintedBox, 'id' | 'addresses'> {
  readonly site: string;
}

/** Something that is wrong with the routes of a box. */
export interface LintFinding {
  readonly fault: RouteFault;
  readonly count: number;
  readonly examples: readonly string[];
  readonly detail: string;
}

const examplesMax = 10;

const refusalDetails: Readonly<Record<RouteRefusal, string>> = {
  default: 'default routes are never used; announce the prefixes that this box is to serve',
  foreign:
    'the site may not announce these; allow them with `nearcast routes allow`, or have the partner filter them',
  'too-specific': 'these are longer than what the site may announce; announce what they are part of',
  unreadable: 'these are no prefixes, or have bits set behind their length',
  'over-limit': 'the box announces more routes than its site may; the longest prefixes are not used',
};

/** Looks at one box and, for what only shows beside others, at those that it fills from and what its cluster announces together. */
export function lintBox(
  box: LintedBox,
  {
    siteMates,
    partnerMates,
    cluster,
  }: { siteMates: readonly Mate[]; partnerMates: readonly Mate[]; cluster: RouteTable },
): LintFinding[] {
  return [
    ...box.refused.map(({ refusal, count, examples }): LintFinding => ({ fault: refusal, count, examples, detail: refusalDetails[refusal] })), // prettier-ignore
    ...lintDefault(box.table),
    ...lintFamilies(box),
    ...lintSymmetry(box.table, cluster),
    ...lintMates(box, siteMates),
    ...lintTiers(box, partnerMates),
    ...lintFlaps(box.flapping),
  ];
}

/** A default route in parts is used, since no prefix of it is one. */
function lintDefault(table: RouteTable): LintFinding[] {
  const fault = 'default-in-parts';
  return ([4, 6] as const).flatMap((family): LintFinding[] => {
    const routes = table[family];
    const { huge, reachesAll } = findDefaultParts(routes);
    const examples = huge.slice(0, examplesMax).map((row) => prefixAt(routes, row));
    if (huge.length > 0) {
      const detail = `these are larger than any network: with them ${reachesAll ? `all viewers of IPv${family}` : 'viewers of other networks'} whom no longer prefix reaches are sent to this box; announce the prefixes that it is to serve`;
      return [{ fault, count: huge.length, examples, detail }];
    }
    if (!reachesAll) return [];
    const detail = `its IPv${family} routes together reach more than those of the whole Internet do, so somebody splits a default route: viewers of all networks are sent to this box; announce the prefixes that it is to serve`;
    return [{ fault, count: routes.lengths.length, examples: shortestOf(routes), detail }];
  });
}

/** Some of the shortest prefixes. */
function shortestOf(routes: FamilyRoutes): string[] {
  const rows: number[] = [];
  for (let length = 0; length <= 128 && rows.length < examplesMax; length++) {
    for (
      let row = routes.lengths.indexOf(length);
      row >= 0 && rows.length < examplesMax;
      row = routes.lengths.indexOf(length, row + 1)
    )
      rows.push(row);
  }
  return rows.map((row) => prefixAt(routes, row));
}

function lintFamilies({ table, addresses, routeFeed }: LintedBox): LintFinding[] {
  if (countRoutes(table) === 0) {
    const detail = routeFeed
      ? 'it learns routes, but none of it is used: nobody is sent to it; is its BGP session up, or its file empty?'
      : 'it learns no routes: only viewers whom no route of any box reaches are sent to it';
    return [{ fault: 'none', count: 0, examples: [], detail }];
  }
  if (table[6].lengths.length > 0) return [];
  const isReached = addresses.some((address) => address.includes(':'));
  const detail = isReached
    ? 'it has IPv6 addresses, but no IPv6 routes: viewers who ask by IPv6 go elsewhere'
    : 'it has neither IPv6 routes nor IPv6 addresses: viewers who ask by IPv6 go elsewhere';
  return [{ fault: 'no-ipv6', count: table[4].lengths.length, examples: [], detail }];
}

function lintSymmetry(table: RouteTable, cluster: RouteTable): LintFinding[] {
  const missing: string[] = [];
  let count = 0;
  for (const family of [4, 6] as const) {
    walkRows(table[family], cluster[family], (own, row) => {
      if (own < 0 && count++ < examplesMax) missing.push(prefixAt(cluster[family], row));
      return true;
    });
  }
  if (count === 0) return [];
  const detail =
    'other boxes of its cluster announce these; with different routes they cannot stand in for one another';
  return [{ fault: 'asymmetric', count, examples: missing, detail }];
}

function lintMates(box: LintedBox, siteMates: readonly Mate[]): LintFinding[] {
  const unreached = siteMates.filter(({ id }) => id !== box.id).flatMap((mate) => unreachedOf(box, mate));
  if (unreached.length === 0 || countRoutes(box.table) === 0) return [];
  const detail =
    'no route of this box leads to these boxes of its site, so its network may not carry fill between them';
  return [
    { fault: 'no-route-to-box', count: unreached.length, examples: unreached.slice(0, examplesMax), detail },
  ];
}

/** A site is missing where none of its boxes is reached: any one of them would do. */
function lintTiers(box: LintedBox, partnerMates: readonly Mate[]): LintFinding[] {
  const missing: string[] = [];
  for (const [site, mates] of Map.groupBy(partnerMates, (mate) => mate.site)) {
    const isReached = mates.some((mate) => unreachedOf(box, mate).length < mate.addresses.length);
    if (!isReached && mates.some(({ addresses }) => addresses.length > 0)) missing.push(site);
  }
  if (missing.length === 0 || countRoutes(box.table) === 0) return [];
  const detail =
    'no route of this box leads to any box of these sites of its partner: what it fills from there takes the way of a default route, often transit';
  return [
    { fault: 'no-route-to-site', count: missing.length, examples: missing.slice(0, examplesMax), detail },
  ];
}

/** The addresses of a box to which no route of another leads, behind its name. */
function unreachedOf({ table }: LintedBox, { id, addresses }: Mate): string[] {
  return addresses.flatMap((text) => {
    const address = parseAddress(text);
    return address === undefined || longestRow(table, address) >= 0 ? [] : [`${id} ${text}`];
  });
}

function lintFlaps(flapping: LintedBox['flapping']): LintFinding[] {
  if (flapping.length === 0) return [];
  const examples = flapping
    .slice(0, examplesMax)
    .map(({ prefix, changes }) => `${prefix} (${changes} times)`);
  const detail = 'these changed again and again within the last hour; each change moves viewers';
  return [{ fault: 'flapping', count: flapping.length, examples, detail }];
}

/** All prefixes that any of the tables has. */
export function unionOf(tables: readonly RouteTable[]): RouteTable {
  const unite = (family: 4 | 6): RouteTable[4] =>
    tables.reduce(
      (union, table) => (union === table[family] ? union : uniteFamily(union, table[family])),
      new RouteColumns(family, 0).routes(),
    );
  return { 4: unite(4), 6: unite(6) };
}

function uniteFamily(a: RouteTable[4], b: RouteTable[4]): RouteTable[4] {
  if (a.lengths.length === 0) return b;
  const union = new RouteColumns(a.family, Math.max(a.lengths.length, b.lengths.length));
  const wordCount = a.family === 4 ? 1 : 4;
  walkRows(a, b, (left, right) => {
    const [routes, row] = left >= 0 ? [a, left] : [b, right];
    union.push(routes.words, row * wordCount, {
      length: routes.lengths[row] ?? 0,
      key: routes.keys[row] ?? 0,
    });
    return true;
  });
  return union.routes();
}
