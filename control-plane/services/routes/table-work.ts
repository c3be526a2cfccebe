import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { decodeRouteTable, nameOfRouteBytes } from '../../../common/core/route-table-codec.ts';
import {
  applyRouteTableDelta,
  encodeRouteTableDelta,
  type NamedRouteTable,
} from '../../../common/core/route-table-delta.ts';
import { countRoutes, createRouteTableBuilder, type RouteTable } from '../../../common/core/route-table.ts';
import { coded, isCoded, systemCode, valueOf } from '../../../common/runtime/errors.ts';
import { packRouteTable, unpackRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { judgeRoutes, type JudgedRoutes } from '../../core/judge-routes.ts';
import { changedPrefixes } from '../../core/route-flaps.ts';
import { lintBox, unionOf, type LintedBox, type LintFinding, type Mate } from '../../core/route-lint.ts';
import { pickRoutes, type PickedRoutes, type RoutePick } from '../../core/route-pick.ts';
import type { RoutePolicy } from '../../core/route-policy.ts';
import { mergeSites, type SiteIntervals } from '../../core/site-routes.ts';

/** No table has more routes; a box that has more tells some of them. */
export const tableRoutesMax = 2_000_000;

/** Decoded tables in memory, by their routes: two full tables and many small ones. */
const cachedRoutesMax = 3_000_000;
// To make a difference of larger tables takes longer than the network needs for the whole.
const deltaBytesMax = 2 * 1024 * 1024;

/** What a box tells: a whole table or a difference to one that is kept, packed; or a table that is kept. */
export type ToldRoutes =
  | { readonly kind: 'whole'; readonly packed: Uint8Array }
  | { readonly kind: 'delta'; readonly from: string; readonly packed: Uint8Array }
  | { readonly kind: 'kept'; readonly name: string };

/** A table that was told or is used; packed unless it is kept already. */
export interface TakenTable {
  readonly name: string;
  readonly packed: Uint8Array | undefined;
}

/** What was told and is used of it. */
export interface TakenRoutes extends Omit<JudgedRoutes, 'used' | 'told'> {
  readonly told: TakenTable;
  readonly used: TakenTable;
  readonly toldCount: number;
}

/** A box whose routes are looked at, with the name of its table instead of that. */
export type LintedTable = Omit<LintedBox, 'table'> & { readonly used: string | undefined };

/** What is asked of the routes of a cluster's boxes. */
export interface LintQuestion {
  readonly cluster: readonly LintedTable[];
  /** Of whom it is asked. */
  readonly asked: readonly string[];
  readonly siteMates: readonly Mate[];
  readonly partnerMates: readonly Mate[];
}

/**
 * All that is done with tables of up to two million routes, which takes up to seconds: in a thread of its own. Tables that are kept are
 * named. Errors: ROUTE_TABLE_UNKNOWN with the name of one that is not there or damaged; ROUTE_TABLE_INVALID; STORE_UNAVAILABLE.
 */
export interface TableWork {
  /** Judges what a box tells. Of tables that are `kept` nothing is packed. */
  readonly take: (told: ToldRoutes, policy: RoutePolicy, kept: readonly string[]) => Promise<TakenRoutes>;
  /** Prefixes that are others in one than in the other, some of them. */
  readonly changed: (from: string, to: string) => Promise<string[]>;
  /** The difference, packed, where it is much smaller than the whole. */
  readonly difference: (from: string, to: string) => Promise<Uint8Array | undefined>;
  readonly pick: (name: string, pick: RoutePick, limit: number) => Promise<PickedRoutes>;
  /** What is wrong, box by box of those asked. */
  readonly lint: (question: LintQuestion) => Promise<{ id: string; findings: LintFinding[] }[]>;
  readonly mergeSites: (names: readonly string[]) => Promise<SiteIntervals>;
}

/** Does it in this thread, over a directory of packed tables under their names. */
export function createTableWork(directory: string): TableWork {
  const tables = new TableReader(directory);
  return {
    async take(told, policy, kept) {
      const named = await namedOf(tables, told);
      const { used, told: toldCount, ...facts } = judgeRoutes(named, policy);
      tables.keep(named);
      tables.keep(used);
      const taken = async ({ name, bytes }: NamedRouteTable): Promise<TakenTable> => ({
        name,
        packed: kept.includes(name) ? undefined : await packRouteTable(bytes),
      });
      const toldTable = await taken(named);
      return { ...facts, toldCount, told: toldTable, used: used === named ? toldTable : await taken(used) };
    },
    changed: async (from, to) =>
      changedPrefixes((await tables.read(from)).table, (await tables.read(to)).table),
    async difference(from, to) {
      const [before, after] = [await tables.read(from), await tables.read(to)];
      if (before.bytes.length + after.bytes.length > deltaBytesMax) return undefined;
      const delta = encodeRouteTableDelta(before, after);
      return delta.length < after.bytes.length / 2 ? packRouteTable(delta) : undefined;
    },
    pick: async (name, pick, limit) => pickRoutes((await tables.read(name)).table, pick, limit),
    lint: (question) => lint(tables, question),
    mergeSites: (names) => mergeSites(tablesOf(tables, names)),
  };
}

async function namedOf(tables: TableReader, told: ToldRoutes): Promise<NamedRouteTable> {
  const limits = { routesMax: tableRoutesMax };
  switch (told.kind) {
    case 'whole': {
      const bytes = await unpackRouteTable(told.packed);
      return { name: nameOfRouteBytes(bytes), bytes, table: valueOf(decodeRouteTable(bytes, limits)) };
    }
    case 'delta': {
      const base = await tables.read(told.from);
      return valueOf(applyRouteTableDelta(base, await unpackRouteTable(told.packed), limits));
    }
    case 'kept':
      return tables.read(told.name);
  }
}

async function* tablesOf(tables: TableReader, names: readonly string[]): AsyncGenerator<RouteTable, void> {
  for (const name of names) yield (await tables.read(name)).table;
}

async function lint(
  tables: TableReader,
  { cluster, asked, ...mates }: LintQuestion,
): Promise<{ id: string; findings: LintFinding[] }[]> {
  const nothing = createRouteTableBuilder().build();
  const boxes: LintedBox[] = [];
  for (const { used, ...box } of cluster)
    boxes.push({ ...box, table: used === undefined ? nothing : (await tables.read(used)).table });
  const union = unionOf([...new Set(boxes.map(({ table }) => table))]);
  return boxes
    .filter(({ id }) => asked.includes(id))
    .map((box) => ({ id: box.id, findings: lintBox(box, { ...mates, cluster: union }) }));
}

/** Reads tables by their names, and remembers some. */
class TableReader {
  readonly #directory: string;
  readonly #decoded = new LRUCache<string, NamedRouteTable>({
    maxSize: cachedRoutesMax,
    sizeCalculation: ({ table }) => 1 + countRoutes(table),
  });

  constructor(directory: string) {
    this.#directory = directory;
  }

  keep(table: NamedRouteTable): void {
    this.#decoded.set(table.name, table);
  }

  /** Errors: ROUTE_TABLE_UNKNOWN where it is not there, or not what its name says; STORE_UNAVAILABLE. */
  async read(name: string): Promise<NamedRouteTable> {
    const cached = this.#decoded.get(name);
    if (cached !== undefined) return cached;
    const table = await this.#load(name);
    if (table === undefined) throw coded('ROUTE_TABLE_UNKNOWN', name);
    this.keep(table);
    return table;
  }

  async #load(name: string): Promise<NamedRouteTable | undefined> {
    try {
      const bytes = await unpackRouteTable(await readFile(join(this.#directory, `${name}.zst`)));
      const table = valueOf(decodeRouteTable(bytes, { routesMax: tableRoutesMax }));
      return nameOfRouteBytes(bytes) === name ? { name, bytes, table } : undefined;
    } catch (cause) {
      if (isCoded(cause, 'ROUTE_TABLE_INVALID') || systemCode(cause) === 'ENOENT') return undefined;
      throw coded('STORE_UNAVAILABLE', { detail: `the route table ${name} cannot be read`, cause });
    }
  }
}
