import type { PrefixIntervals } from '../../common/core/prefix-layout.ts';
import { PrefixTableBuilder } from '../../common/core/prefix-table-builder.ts';
import { ok, refused, type Result } from '../../common/core/result.ts';
import { RouteListsBuilder, RouteSetsBuilder, SETS_MAX, type RouteLists } from './route-lists.ts';
import { RouteMerge, type MergedBefore, type MergeInput, type OwnedTable } from './route-merge.ts';
import { PrefixRowsBuilder, type PrefixRows, type RouteRows } from './route-rows.ts';

/** All routes of a map, made ready for lookups: an address leads to an interval, that to a set, and beside it to the list around that. */
export interface RouteMap {
  readonly 4: PrefixIntervals;
  readonly 6: PrefixIntervals;
  readonly lists: RouteLists;
  /** How many default routes were passed over: they are never used. */
  readonly defaultsDropped: number;
}

/** Merged routes, and what the next are merged over. */
export interface BuiltRoutes {
  readonly routes: RouteMap;
  readonly rows: RouteRows;
}

/**
 * Builds the routes of a map from the tables of its appliances: a merge of their sorted routes, read where they are, and a
 * sweep over the address space. Each list holds every appliance that reaches the addresses of the interval by any
 * prefix, with the longest. With what was merged before, only tables that have come since and those that are gone are read.
 * O(p + n log t) time for p prefixes and n routes in t tables. Errors: ROUTE_TABLE_INVALID, ROUTES_TOO_MANY.
 */
export function buildRouteMap(come: readonly OwnedTable[], before?: MergedBefore): Result<BuiltRoutes> {
  return runToEnd(buildingRouteMap(come, before));
}

/** Work that stops now and then, so that who does it may look after other things. */
export type Stepwise<T> = Generator<undefined, T, undefined>;

/** Does stepwise work at once. */
export function runToEnd<T>(work: Stepwise<T>): T {
  let step = work.next();
  while (step.done !== true) step = work.next();
  return step.value;
}

/** Some milliseconds of merging. */
const PREFIXES_A_STEP = 8_192;

/** As `buildRouteMap`, stepwise. */
export function* buildingRouteMap(
  come: readonly OwnedTable[],
  before?: MergedBefore,
): Stepwise<Result<BuiltRoutes>> {
  const sets = new RouteSetsBuilder();
  const lists = new RouteListsBuilder(sets);
  const rows: PrefixRows[] = [];
  const builders: PrefixTableBuilder[] = [];
  let defaultsDropped = 0;
  for (const family of [4, 6] as const) {
    const merge = new RouteMerge({ family, come, before, sets });
    const builder = new PrefixTableBuilder(family, 2 + merge.largest);
    const merged = new PrefixRowsBuilder(family, merge.largest);
    for (let count = 1; merge.next(); count++) {
      if (count % PREFIXES_A_STEP === 0) yield;
      const set = merge.takeSet();
      if (sets.isFull) return refused('ROUTES_TOO_MANY', tooMany({ family }));
      if (set === 0) continue;
      const { words, length } = merge;
      merged.push(words, length, set);
      if (length === 0) defaultsDropped += sets.sets[set] ?? 0;
      else builder.open(words, length, lists.over(builder.enter(words), length, set));
    }
    if (merge.fault !== undefined) return refused('ROUTE_TABLE_INVALID', merge.fault);
    builders.push(builder);
    rows.push(merged.build());
    yield;
  }
  const built = lists.build();
  const [four, six] = builders.map((builder) =>
    builder.finish({ valueOf: (list) => built.entryOf(list), besideOf: (list) => built.aroundOf(list) }),
  );
  const [rows4, rows6] = rows;
  if (four === undefined || six === undefined || rows4 === undefined || rows6 === undefined)
    throw new TypeError('both families are built');
  const routes = { 4: four, 6: six, lists: built.lists, defaultsDropped };
  return ok({ routes, rows: { 4: rows4, 6: rows6 } });
}

/** What is to be done where the sets do not fit. */
function tooMany({ family }: Pick<MergeInput, 'family'>): string {
  return (
    `who reaches a prefix, and how, takes more than ${SETS_MAX} numbers, first among the IPv${family} prefixes: let fewer boxes announce the same prefixes, ` +
    'or let them announce them with fewer different MEDs and path lengths (a set that many prefixes share is kept once); `nearcast routes show` tells how many each box has'
  );
}
