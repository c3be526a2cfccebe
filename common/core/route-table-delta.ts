import { ok, refused, type Result } from './result.ts';
import {
  encodeRoutes,
  encodeRouteTable,
  nameOfRouteBytes,
  openRoutes,
  readRoutes,
  type RouteTableLimits,
} from './route-table-codec.ts';
import {
  walkRows,
  countRoutes,
  packRouteKeys,
  RouteColumns,
  routeClasses,
  type FamilyRoutes,
  type RouteTable,
} from './route-table.ts';
import { widthOf } from './ip-address.ts';

/** A table with its canonical bytes and the name that these give it. */
export interface NamedRouteTable {
  /** SHA-256 of `bytes` in lower-case hex. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly table: RouteTable;
}

/** Names a table. */
export function nameRouteTable(table: RouteTable): NamedRouteTable {
  const bytes = encodeRouteTable(table);
  return { name: nameOfRouteBytes(bytes), bytes, table };
}

/**
 * A difference is a table of what changed, in the form of a route table but with its own magic and one more class, which stands
 * for "withdrawn"; behind it the names of both tables, 32 bytes each.
 */
const MAGIC = 'NRD1';
const NAME_BYTES = 32;
const WITHDRAWN = packRouteKeys({ classOrder: routeClasses.length, asPathLength: 0, med: 0 });

/** Writes what makes `to` of `from`: prefixes that were withdrawn, and routes that are new or have other keys. */
export function encodeRouteTableDelta(from: NamedRouteTable, to: NamedRouteTable): Uint8Array {
  const changes = { 4: changesOf(from.table[4], to.table[4]), 6: changesOf(from.table[6], to.table[6]) };
  const body = encodeRoutes(changes, MAGIC);
  const names = [from.name, to.name].map((name) => Buffer.from(name, 'hex'));
  return Buffer.concat([body, ...names]);
}

/** The names of the tables that a difference leads from and to; undefined where the bytes are none, as those of a whole table. */
export function readDeltaNames(
  bytes: Uint8Array,
): { readonly from: string; readonly to: string } | undefined {
  const namesAt = bytes.length - 2 * NAME_BYTES;
  if (namesAt < 0 || Buffer.from(bytes.subarray(0, 4)).toString('latin1') !== MAGIC) return undefined;
  const nameAt = (at: number): string => Buffer.from(bytes.subarray(at, at + NAME_BYTES)).toString('hex');
  return { from: nameAt(namesAt), to: nameAt(namesAt + NAME_BYTES) };
}

/**
 * Applies a difference to the table that it leads from; gives exactly the table that it leads to, checked by its name.
 * Errors: ROUTE_TABLE_INVALID (not readable), ROUTE_TABLE_UNKNOWN (it leads from another table), ROUTE_TABLE_MISMATCH.
 */
export function applyRouteTableDelta(
  from: NamedRouteTable,
  bytes: Uint8Array,
  limits: RouteTableLimits,
): Result<NamedRouteTable> {
  const names = readDeltaNames(bytes);
  if (names === undefined) return refused('ROUTE_TABLE_INVALID', 'it is no difference');
  if (names.from !== from.name)
    return refused('ROUTE_TABLE_UNKNOWN', `the difference is to ${names.from}, not to the table held`);
  const opened = openRoutes(bytes.subarray(0, -2 * NAME_BYTES), {
    ...limits,
    magic: MAGIC,
    classes: routeClasses.length + 1,
  });
  if (!opened.ok) return opened;
  const changes = readRoutes(opened.value);
  if (!changes.ok) return changes;
  const to = nameRouteTable({
    4: applyChanges(from.table[4], changes.value[4]),
    6: applyChanges(from.table[6], changes.value[6]),
  });
  if (to.name !== names.to)
    return refused('ROUTE_TABLE_MISMATCH', 'applied, the difference gives another table');
  if (countRoutes(to.table) > limits.routesMax)
    return refused('ROUTE_TABLE_INVALID', `more than ${limits.routesMax} routes`);
  return ok(to);
}

function changesOf(from: FamilyRoutes, to: FamilyRoutes): FamilyRoutes {
  const changes = new RouteColumns(from.family);
  walkRows(from, to, (held, wanted) => {
    if (wanted < 0) push(changes, [from, held], WITHDRAWN);
    else if (held < 0 || from.keys[held] !== to.keys[wanted]) push(changes, [to, wanted], to.keys[wanted]);
    return true;
  });
  return changes.routes();
}

function applyChanges(from: FamilyRoutes, changes: FamilyRoutes): FamilyRoutes {
  const applied = new RouteColumns(from.family, from.lengths.length + changes.lengths.length);
  walkRows(from, changes, (held, changed) => {
    if (changed < 0) push(applied, [from, held], from.keys[held]);
    else if ((changes.keys[changed] ?? 0) < WITHDRAWN)
      push(applied, [changes, changed], changes.keys[changed]);
    return true;
  });
  return applied.routes();
}

function push(columns: RouteColumns, [routes, row]: readonly [FamilyRoutes, number], key = 0): void {
  const at = (row * widthOf(routes.family)) / 32;
  columns.push(routes.words, at, { length: routes.lengths[row] ?? 0, key });
}
