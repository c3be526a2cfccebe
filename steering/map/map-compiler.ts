import type { KeyObject } from 'node:crypto';
import { documentTypes, SteeringMap, type DocumentPayload } from '../../common/contract/documents.ts';
import type { DocumentDemands } from '../../common/core/documents.ts';
import { decodeRouteTable } from '../../common/core/route-table-codec.ts';
import { applyRouteTableDelta, nameRouteTable, readDeltaNames } from '../../common/core/route-table-delta.ts';
import { coded, isCoded, toCoded, valueOf, type CodedError } from '../../common/runtime/errors.ts';
import { unpackRouteTable } from '../../common/runtime/route-table-packing.ts';
import { openDocument } from '../../common/runtime/signed-documents.ts';
import { mergingRoutes, planRouteChange, type MergedMap, type RouteChange } from '../core/route-change.ts';
import { nameOfRoutes } from '../core/route-image.ts';
import type { BuiltRoutes, Stepwise } from '../core/route-map.ts';
import {
  compileParts,
  isOfSameAppliances,
  overAppliancesOf,
  tableNamesOf,
  unchangedParts,
  type TableParts,
  type ViewParts,
} from '../core/view.ts';
import type { RouteImageFile } from './route-image-file.ts';
import type { TableStore } from './table-store.ts';

/** A table that a map names and that is not held. */
export interface MissingTable {
  readonly kind: 'routes' | 'holdings';
  readonly name: string;
  /** One that is held and of which it may be a small difference. */
  readonly from?: string;
}

/** A signed map with what is demanded of it. */
export interface SignedMap {
  readonly jws: string;
  /** The key that its header names. */
  readonly key: KeyObject;
  readonly demands: DocumentDemands;
}

/** A map that was opened: its sequence, and what must be fetched before it can be compiled. */
export interface OpenedMap {
  readonly sequence: number;
  /** Routes of all appliances together. */
  readonly routeCount: number;
  readonly missing: readonly MissingTable[];
}

/** What is the same as in the view before is left out. */
export type CompiledParts = Omit<ViewParts, keyof TableParts> & Partial<TableParts>;

/** Makes views of signed maps and their tables, one after the other. */
export interface MapCompiler {
  /** @throws SIGNATURE_INVALID, KEY_UNKNOWN, DOCUMENT_FOREIGN, DOCUMENT_STALE, DOCUMENT_EXPIRED. */
  open(map: SignedMap): Promise<OpenedMap>;
  /**
   * Takes a table as it was fetched: packed, whole or as a difference.
   *
   * @throws ROUTE_TABLE_INVALID, ROUTE_TABLE_MISMATCH, ROUTE_TABLE_UNKNOWN where the table that it is a difference to is not held.
   */
  take(name: string, packed: Uint8Array): Promise<void>;
  /**
   * Compiles of the map that was opened last all but its routes, over those of the map compiled before, to be used until `compile` has merged them,
   * which takes seconds where they are many: so drains, revocations and losses do not wait for that, nor for the routes of an earlier map that
   * are being merged meanwhile. Undefined where there is nothing to wait for, or no map before.
   *
   * @throws as `compile` does.
   */
  compileEarly(): Promise<ViewParts | undefined>;
  /** Compiles the map that `compileEarly` was called for last, or else was opened last; one after the other. @throws ROUTE_TABLE_INVALID, ROUTES_TOO_MANY, ROUTE_TABLE_MISMATCH, ROUTE_TABLE_UNKNOWN, HOLDINGS_INVALID. */
  compile(): Promise<CompiledParts>;
  /** Writes to disk what spares the next start the work, unless it is there, and sees to it that what is past is put aside. @throws what the disk says. */
  write(): Promise<void>;
}

type LastMap = MergedMap & { readonly parts: TableParts };

interface RouteSources {
  readonly last: LastMap | undefined;
  readonly store: TableStore;
  readonly images: RouteImageFile | undefined;
  readonly pause: () => Promise<void>;
}

const LIMITS = { routesMax: 2_000_000 };

export interface MapCompilerOptions {
  /** Routes that were merged before are read from there. */
  readonly images?: RouteImageFile;
  /** Between two steps of a merge: what else is asked of the compiler is answered meanwhile. */
  readonly pause?: () => Promise<void>;
}

/** A map whose tables are there, with its holdings if they were compiled early. */
interface Ready {
  readonly payload: DocumentPayload<SteeringMap>;
  readonly holdings?: TableParts['holdings'];
}

/** Makes a compiler over a store of tables. */
export function createMapCompiler(
  store: TableStore,
  { images, pause = nextTurn }: MapCompilerOptions = {},
): MapCompiler {
  let opened: DocumentPayload<SteeringMap> | undefined;
  let ready: Ready | undefined;
  let last: LastMap | undefined;
  let isCompiling = false;
  const tidier = createTidier(store);

  return {
    async open({ jws, key, demands }) {
      await tidier.done();
      const payload = await openDocument(jws, {
        ...demands,
        typ: documentTypes.steeringMap,
        schema: SteeringMap,
        findKey: () => key,
      });
      opened = payload;
      const { sequence, body } = payload;
      const routeCount = body.appliances.reduce((sum, { routeTable }) => sum + (routeTable?.count ?? 0), 0);
      return { sequence, routeCount, missing: await missingOf(store, body, last?.body) };
    },
    async take(name, packed) {
      const bytes = await unpackRouteTable(packed);
      const names = readDeltaNames(bytes);
      await store.write(name, names === undefined ? bytes : await applied(store, names.from, bytes));
    },
    async compileEarly() {
      if (opened === undefined) return undefined;
      const payload = opened;
      ready = { payload };
      if (last === undefined) return undefined;
      const { body, parts } = last;
      const unchanged = unchangedParts(last, payload.body);
      if (unchanged.routes !== undefined && !isCompiling) return undefined;
      const isSame = isOfSameAppliances(body, payload.body);
      const early = await makeParts(
        store,
        { ...payload, body: overAppliancesOf(body, payload.body) },
        { ...(isSame ? unchanged : parts), routes: parts.routes },
      );
      if (isSame) ready = { payload, holdings: early.holdings };
      return early;
    },
    async compile() {
      const next = ready ?? (opened && { payload: opened });
      if (next === undefined) throw new TypeError('a map is opened before it is compiled');
      ready = undefined;
      isCompiling = true;
      try {
        await tidier.done();
        const { parts, compiled } = await compileOver(next, { last, store, images, pause });
        tidier.begin(compiled.body, { before: last?.body, next: opened?.body });
        last = compiled;
        return parts;
      } finally {
        isCompiling = false;
      }
    },
    async write() {
      await images?.write();
      await tidier.done();
    },
  };
}

async function makeParts(
  store: TableStore,
  payload: DocumentPayload<SteeringMap>,
  known: Partial<TableParts>,
): Promise<ViewParts> {
  const tables = await readAll(store, tableNamesOf(payload.body, known));
  return valueOf(compileParts(payload, (of) => tables.get(of), known));
}

/** Compiles a map over the last one. */
async function compileOver(
  { payload, holdings: early }: Ready,
  sources: RouteSources,
): Promise<{ parts: CompiledParts; compiled: LastMap }> {
  const { body } = payload;
  const unchanged = unchangedParts(sources.last, body);
  const merged = await routesOf(body, sources);
  const { routes, holdings, ...rest } = await makeParts(sources.store, payload, {
    ...unchanged,
    ...(early !== undefined && { holdings: early }),
    routes: merged.routes,
  });
  const parts = {
    ...rest,
    ...(unchanged.routes === undefined && { routes }),
    ...(unchanged.holdings === undefined && { holdings }),
  };
  return { parts, compiled: { body, parts: { routes, holdings }, merged } };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Does stepwise work with a pause behind each step. */
async function runPausing<T>(work: Stepwise<T>, pause: () => Promise<void>): Promise<T> {
  let step = work.next();
  while (step.done !== true) {
    await pause();
    step = work.next();
  }
  return step.value;
}

/** The routes of a map: as they are, as they were merged before, or merged now. */
async function routesOf(
  body: SteeringMap,
  { last, store, images, pause }: RouteSources,
): Promise<BuiltRoutes> {
  if (last !== undefined && unchangedParts(last, body).routes !== undefined) return last.merged;
  const name = nameOfRoutes(body);
  // What is on disk is of the last map, or one before.
  const stored = last === undefined ? await images?.read(name) : undefined;
  if (stored !== undefined) return stored;
  const { change, gone } = await planOver(body, last, store);
  const come = await readAll(store, change.come.keys());
  const merged = valueOf(
    await runPausing(
      mergingRoutes(change, (of) => come.get(of) ?? gone.get(of)),
      pause,
    ),
  );
  return images?.keep(merged, name) ?? merged;
}

/** What is to be merged, with the tables that are gone; where one of those is not held any more, all is merged anew. */
async function planOver(
  body: SteeringMap,
  last: MergedMap | undefined,
  store: TableStore,
): Promise<{ change: RouteChange; gone: Map<string, Uint8Array> }> {
  const change = planRouteChange(body, last);
  try {
    return { change, gone: await readAll(store, change.gone.keys()) };
  } catch (error) {
    if (!isCoded(error, 'ROUTE_TABLE_UNKNOWN', 'ROUTE_TABLE_MISMATCH')) throw error;
    return { change: planRouteChange(body, undefined), gone: new Map() };
  }
}

/** The map before one, and that which was opened since. */
interface MapsAround {
  readonly before: SteeringMap | undefined;
  readonly next: SteeringMap | undefined;
}

/** Puts tables aside that are past, while who took the map goes on. */
function createTidier(store: TableStore) {
  let tidying: Promise<CodedError | undefined> = Promise.resolve(undefined);
  return {
    begin(body: SteeringMap, around: MapsAround): void {
      tidying = tidy(store, body, around).then(
        () => undefined,
        (error: unknown) => toCoded(error),
      );
    },
    /** Resolves once nothing is left to do. @throws what went wrong, once. */
    async done(): Promise<void> {
      const fault = await tidying;
      tidying = Promise.resolve(undefined);
      if (fault !== undefined) throw fault;
    },
  };
}

/** Puts the tables aside that are past now. @throws what the disk says. */
async function tidy(store: TableStore, body: SteeringMap, { before, next }: MapsAround): Promise<void> {
  const named = new Set([body, next ?? body].flatMap((map) => [...tableNamesOf(map)]));
  for (const [name, next] of supersededBy(body, before))
    if (!named.has(name)) await store.supersede(name, next);
  await store.prune(named);
}

/** The tables of a map before that others have come for, each with the one that came. */
function supersededBy(body: SteeringMap, before: SteeringMap | undefined): Map<string, string> {
  const held = new Map(before?.appliances.map(({ id, routeTable }) => [id, routeTable?.name]));
  const came = new Map<string, string>();
  const note = (old: string | undefined, next: string | undefined): void => {
    if (old !== undefined && next !== undefined && old !== next) came.set(old, next);
  };
  for (const { id, routeTable } of body.appliances) note(held.get(id), routeTable?.name);
  note(before?.holdings?.name, body.holdings?.name);
  return came;
}

async function missingOf(
  store: TableStore,
  { appliances, holdings }: SteeringMap,
  before: SteeringMap | undefined,
): Promise<MissingTable[]> {
  const held = new Map(before?.appliances.map(({ id, routeTable }) => [id, routeTable?.name]));
  const wanted = new Map<string, MissingTable>();
  for (const { id, routeTable } of appliances) {
    if (routeTable === undefined || wanted.has(routeTable.name)) continue;
    const { name } = routeTable;
    const from = held.get(id);
    wanted.set(name, { kind: 'routes', name, ...(from !== undefined && { from }) });
  }
  if (holdings !== undefined) wanted.set(holdings.name, { kind: 'holdings', name: holdings.name });
  const missing: MissingTable[] = [];
  for (const table of wanted.values()) if (!(await store.has(table.name))) missing.push(table);
  return missing;
}

async function readAll(store: TableStore, names: Iterable<string>): Promise<Map<string, Uint8Array>> {
  const tables = new Map<string, Uint8Array>();
  for (const name of names) {
    const bytes = await store.read(name);
    if (bytes === undefined) throw coded('ROUTE_TABLE_UNKNOWN', name);
    tables.set(name, bytes);
  }
  return tables;
}

async function applied(store: TableStore, from: string, delta: Uint8Array): Promise<Uint8Array> {
  const held = await store.read(from).catch((error: unknown) => {
    if (isCoded(error, 'ROUTE_TABLE_MISMATCH')) return undefined;
    throw error;
  });
  if (held === undefined) throw coded('ROUTE_TABLE_UNKNOWN', from);
  const table = valueOf(decodeRouteTable(held, LIMITS), from);
  return valueOf(applyRouteTableDelta(nameRouteTable(table), delta, LIMITS), from).bytes;
}
