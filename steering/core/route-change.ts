import type { SteeringMap } from '../../common/contract/documents.ts';
import { ok, type Result } from '../../common/core/result.ts';
import { openRouteBytes } from '../../common/core/route-table-codec.ts';
import { buildingRouteMap, runToEnd, type BuiltRoutes, type Stepwise } from './route-map.ts';
import type { OwnedTable } from './route-merge.ts';

/** The tables that a map names, by their names. */
export type TablesByName = (name: string) => Uint8Array | undefined;

/** The routes of a map, and the map. */
export interface MergedMap {
  readonly body: SteeringMap;
  readonly merged: BuiltRoutes;
}

type OwnersByName = ReadonlyMap<string, readonly number[]>;

/** What is read to merge the routes of a map: tables by their names, each with its appliances. */
export interface RouteChange {
  readonly come: OwnersByName;
  /** Over what was merged before; undefined where all is merged anew. */
  readonly over: MergedMap | undefined;
  readonly gone: OwnersByName;
  /** See `MergedBefore`. */
  readonly indexes: Int32Array | undefined;
}

const ROUTES_MAX = 2_000_000;

/** How the routes of a map come of those before: by reading the tables of those alone whose routes have changed, unless that is most of them. */
export function planRouteChange(body: SteeringMap, before: MergedMap | undefined): RouteChange {
  const whole = { come: ownersOf(body, () => true), over: undefined, gone: new Map(), indexes: undefined };
  if (before === undefined) return whole;
  const [now, then] = [indexesById(body), indexesById(before.body)];
  // Of two with one id it cannot be told which one is which.
  if (now.size < body.appliances.length || then.size < before.body.appliances.length) return whole;
  const tableThen = (id: string): string | undefined =>
    before.body.appliances[then.get(id) ?? -1]?.routeTable?.name;
  const come = ownersOf(body, ({ id, routeTable }) => routeTable?.name !== tableThen(id));
  const gone = new Map<string, number[]>();
  for (const [index, { id, routeTable }] of body.appliances.entries()) {
    const name = tableThen(id);
    if (name !== undefined && name !== routeTable?.name) note(gone, name, index);
  }
  const routes = (tables: OwnersByName, of: SteeringMap): number =>
    of.appliances.reduce((sum, { routeTable }) => sum + (tables.has(routeTable?.name ?? '') ? (routeTable?.count ?? 0) : 0), 0); // prettier-ignore
  if (2 * (routes(come, body) + routes(gone, before.body)) > routes(whole.come, body)) return whole;
  const indexes = Int32Array.from(before.body.appliances, ({ id }) => now.get(id) ?? -1);
  const isSame = indexes.every((index, at) => index === at);
  return { come, gone, over: before, indexes: isSame ? undefined : indexes };
}

/** Merges as planned. Errors: ROUTE_TABLE_INVALID, ROUTES_TOO_MANY. */
export function mergeRoutes(change: RouteChange, tables: TablesByName): Result<BuiltRoutes> {
  return runToEnd(mergingRoutes(change, tables));
}

/** As `mergeRoutes`, stepwise. */
export function* mergingRoutes(
  { come, gone, over, indexes }: RouteChange,
  tables: TablesByName,
): Stepwise<Result<BuiltRoutes>> {
  const coming = openAll(come, tables);
  if (!coming.ok) return coming;
  const going = openAll(gone, tables);
  if (!going.ok) return going;
  if (over === undefined) return yield* buildingRouteMap(coming.value);
  const { rows, routes } = over.merged;
  return yield* buildingRouteMap(coming.value, { rows, lists: routes.lists, gone: going.value, indexes });
}

function openAll(owners: OwnersByName, tables: TablesByName): Result<OwnedTable[]> {
  const owned: OwnedTable[] = [];
  for (const [name, indexes] of owners) {
    const opened = openRouteBytes(tables(name) ?? new Uint8Array(), { routesMax: ROUTES_MAX });
    if (!opened.ok) return { ...opened, detail: `route table ${name}: ${opened.detail}` };
    owned.push({ routes: opened.value, owners: indexes });
  }
  return ok(owned);
}

function ownersOf(
  { appliances }: SteeringMap,
  isWanted: (appliance: SteeringMap['appliances'][number]) => boolean,
): Map<string, number[]> {
  const owners = new Map<string, number[]>();
  for (const [index, appliance] of appliances.entries()) {
    if (appliance.routeTable !== undefined && isWanted(appliance))
      note(owners, appliance.routeTable.name, index);
  }
  return owners;
}

function note(owners: Map<string, number[]>, name: string, index: number): void {
  const held = owners.get(name);
  if (held === undefined) owners.set(name, [index]);
  else held.push(index);
}

function indexesById({ appliances }: SteeringMap): Map<string, number> {
  return new Map(appliances.map(({ id }, index) => [id, index]));
}
