import type { KeyObject } from 'node:crypto';
import { documentTypes } from '../../common/contract/documents.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { assert, coded, isCoded, toCoded, type CodedError } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { documentKeyId } from '../../common/runtime/signed-documents.ts';
import { isOfSameAppliances, openView, type SteeringView } from '../core/view.ts';
import type { CompiledParts, MapCompiler, MissingTable } from './map-compiler.ts';
import type { MapSnapshot } from './snapshot.ts';

/** Fetches a table, packed; as a difference to `from` where the other side chooses so. */
export type FetchTable = (table: MissingTable) => Promise<Uint8Array>;

export interface MapHolderOptions {
  readonly snapshot: MapSnapshot;
  readonly compiler: MapCompiler;
  /** A key of use `documents` that is in force. */
  readonly findKey: (kid: string) => KeyObject | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after each swap, with the view that now answers. */
  readonly onView: (view: SteeringView) => void;
  /** Called with each map that answers from now on, as it was signed. */
  readonly onMap: (jws: string) => void;
  /** Told the code of each map that was refused, or of which the routes were. */
  readonly onRefused: (code: string) => void;
}

/** The map that answers, and its way in. */
export interface MapHolder {
  /** Undefined until the first map. */
  view(): SteeringView | undefined;
  /** Of the newest map that was accepted. */
  sequence(): number;
  /**
   * Takes a signed map: verifies signature, audience, sequence and notAfter, fetches the tables that are not held, compiles,
   * then swaps it in and stores it. All but its routes is in force before those are merged, also while those of an earlier map are being merged, and then
   * `onAccepted` is called. Of the maps that come during a merge only the newest is merged next. One that is held already is left alone.
   *
   * Where its routes are more than steering holds (ROUTES_TOO_MANY), all else of it stays in force over the routes of the map before; it is not stored, so that
   * the next start has a map whose routes fit. Without a map before it is refused.
   *
   * @returns whether it was newer, and none came in its place.
   * @throws SIGNATURE_INVALID, KEY_UNKNOWN, DOCUMENT_FOREIGN, DOCUMENT_STALE, DOCUMENT_EXPIRED, ROUTE_TABLE_INVALID, ROUTES_TOO_MANY,
   * ROUTE_TABLE_MISMATCH, ROUTE_TABLE_UNKNOWN, HOLDINGS_INVALID, or what the fetch throws; the map held stays.
   */
  take(jws: string, fetchTable: FetchTable, onAccepted?: () => void): Promise<boolean>;
  /**
   * Takes the stored map, also past its notAfter: an old map is better than none. One that does not verify is left, and so is
   * one whose tables are damaged: they come with the next map.
   */
  load(): Promise<void>;
  /** Writes what spares the next start most of its work. A failure is logged: the start takes longer then. */
  write(): Promise<void>;
}

/** How a map is taken. */
interface Taking {
  readonly nowMs: number;
  readonly fetchTable: FetchTable | undefined;
  readonly onAccepted?: (() => void) | undefined;
  readonly onMerged: () => Promise<void>;
}

/** The view that answers, and how another comes in its place. */
function createViewInForce({ log, onView }: Pick<MapHolderOptions, 'log' | 'onView'>) {
  let view: SteeringView | undefined;
  /** The last whose routes are its own. */
  let whole: SteeringView | undefined;
  // The swap: who asked before has the old map whole, who asks from now on the new one.
  const show = (next: SteeringView): void => {
    view = next;
    onView(next);
  };
  return {
    view: () => view,
    show,
    tell(what: string): void {
      log.info({ sequence: view?.sequence, appliances: view?.appliances.length }, what);
    },
    /** Takes what was compiled whole; what is left out is as it is in the one before. Of a newer map that is in force early the rest stays. */
    swapIn(parts: CompiledParts): void {
      const routes = parts.routes ?? whole?.routes;
      const holdings = parts.holdings ?? whole?.holdings;
      assert(routes !== undefined && holdings !== undefined, 'only what is held is left out');
      whole = openView({ ...parts, routes, holdings });
      if (parts.routes !== undefined && routes.defaultsDropped > 0)
        log.warn({ sequence: parts.sequence, defaults: routes.defaultsDropped }, 'routes dropped');
      if (view === undefined || view.sequence <= whole.sequence) show(whole);
      // Routes name boxes by their places: over other boxes they would lead astray.
      else if (isOfSameAppliances(view, whole)) show({ ...view, routes });
    },
    /** Whether all of a map but its routes is in force, or of a newer one. */
    hasEarly: (sequence: number): boolean =>
      view !== undefined && view !== whole && view.sequence >= sequence,
    tellKept(error: CodedError): void {
      log.error(
        { code: error.code, err: error, sequence: view?.sequence, routesOf: whole?.sequence },
        'the routes of the map do not fit: those of the map before are kept',
      );
    },
    /** Shows the last that is whole again; @returns its sequence. */
    fallBack(): number {
      if (whole !== undefined && whole !== view) show(whole);
      return whole?.sequence ?? 0;
    },
  };
}

/** Opens maps in turn, and merges the routes of the newest of them in turn. */
function createMapsInTurn(options: MapHolderOptions, inForce: ReturnType<typeof createViewInForce>) {
  const { compiler } = options;
  /** The number of the newest map that was accepted: it is in force, or its routes are being merged. */
  let accepted = 0;
  /** The number of the last map whose routes could not be merged. It is tried again, and not shown without them again. */
  let unmerged: number | undefined;
  let accepting: Promise<unknown> = Promise.resolve();
  let merging: Promise<unknown> = Promise.resolve();

  /** Takes what needs no merging of routes into force. @returns the number of the map; undefined where it is not newer. */
  const accept = async (
    jws: string,
    { nowMs, fetchTable }: Pick<Taking, 'nowMs' | 'fetchTable'>,
  ): Promise<number | undefined> => {
    const kid = documentKeyId(jws, documentTypes.steeringMap);
    const key = options.findKey(kid);
    if (key === undefined) throw coded('KEY_UNKNOWN', `the map: no valid key ${kid}`);
    const demands = { audience: 'steering', sequenceMin: accepted, nowMs };
    const { sequence, missing } = await compiler.open({ jws, key, demands });
    if (sequence === accepted) return undefined;
    if (fetchTable !== undefined) await fetchAll(missing, (table) => fetchInto(compiler, table, fetchTable));
    const early = await compiler.compileEarly();
    if (early !== undefined && sequence !== unmerged) inForce.show(openView(early));
    accepted = sequence;
    return sequence;
  };
  /** Merges the routes of a map, unless a newer one has come while those of an earlier one were merged. */
  const merge = async (jws: string, sequence: number, onMerged: Taking['onMerged']): Promise<boolean> => {
    if (sequence !== accepted) return false;
    try {
      const parts = await compiler.compile();
      inForce.swapIn(parts);
    } catch (error) {
      if (isCoded(error, 'ROUTES_TOO_MANY') && inForce.hasEarly(sequence)) {
        inForce.tellKept(error);
        options.onRefused(error.code);
        return true;
      }
      unmerged = sequence;
      if (sequence === accepted) accepted = inForce.fallBack();
      throw error;
    }
    options.onMap(jws);
    await onMerged();
    return true;
  };
  const open = async (jws: string, { onAccepted, onMerged, ...how }: Taking): Promise<boolean> => {
    const now = accepting.then(() => accept(jws, how));
    accepting = now.catch(() => undefined);
    const sequence = await now;
    if (sequence === undefined) return false;
    onAccepted?.();
    const merged = merging.then(() => merge(jws, sequence, onMerged));
    merging = merged.catch(() => undefined);
    return merged;
  };
  return { open, sequence: () => accepted };
}

export function createMapHolder(options: MapHolderOptions): MapHolder {
  const { snapshot, clock, log } = options;
  const inForce = createViewInForce(options);
  const writer = createWriter(options);
  const maps = createMapsInTurn(options, inForce);

  return {
    view: inForce.view,
    sequence: maps.sequence,
    write: writer.now,
    async take(jws, fetchTable, onAccepted) {
      const onMerged = async (): Promise<void> => {
        inForce.tell('map taken');
        await snapshot.write(jws);
        await writer.seldom();
      };
      try {
        return await maps.open(jws, { nowMs: clock.nowMs(), fetchTable, onAccepted, onMerged });
      } catch (error) {
        options.onRefused(toCoded(error).code);
        throw error;
      }
    },
    async load() {
      const jws = await snapshot.read();
      if (jws === undefined) return;
      try {
        // Time 0: past its notAfter it still answers; only what is new must be in time.
        const onMerged = (): Promise<void> => {
          inForce.tell('map loaded from the snapshot');
          return Promise.resolve();
        };
        await maps.open(jws, { nowMs: 0, fetchTable: undefined, onMerged });
      } catch (error) {
        const { code } = toCoded(error);
        options.onRefused(code);
        log.warn({ code, err: error }, 'the stored map is not used');
      }
    },
  };
}

/** Merged routes are tens of megabytes, and change whenever somebody's routes do. */
const WRITE_MS_MIN = 60_000;

function createWriter({ compiler, clock, log }: MapHolderOptions) {
  let writtenAtMs = -Infinity;
  const now = async (): Promise<void> => {
    writtenAtMs = clock.monotonicMs();
    try {
      await compiler.write();
    } catch (error) {
      log.error({ code: toCoded(error).code, err: error }, 'the merged routes cannot be stored');
    }
  };
  return {
    now,
    seldom: async (): Promise<void> => {
      if (clock.monotonicMs() - writtenAtMs >= WRITE_MS_MIN) await now();
    },
  };
}

const FETCHES_MAX = 4;

async function fetchAll(
  missing: readonly MissingTable[],
  fetchOne: (table: MissingTable) => Promise<void>,
): Promise<void> {
  const left = missing.values();
  const lane = async (): Promise<void> => {
    for (const table of left) await fetchOne(table);
  };
  await Promise.all(Array.from({ length: FETCHES_MAX }, lane));
}

/** A difference that does not lead to the table is no reason to be without it: the whole is fetched. */
async function fetchInto(compiler: MapCompiler, table: MissingTable, fetchTable: FetchTable): Promise<void> {
  const { kind, name, from } = table;
  if (from !== undefined) {
    try {
      await compiler.take(name, await fetchTable(table));
      return;
    } catch (error) {
      if (!isCoded(error, 'ROUTE_TABLE_INVALID', 'ROUTE_TABLE_MISMATCH', 'ROUTE_TABLE_UNKNOWN')) throw error;
    }
  }
  await compiler.take(name, await fetchTable({ kind, name }));
}
