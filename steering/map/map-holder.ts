import type { KeyObject } from 'node:crypto';
import { documentTypes } from '../../common/contract/documents.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { assert, coded, isCoded, toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { documentKeyId } from '../../common/runtime/signed-documents.ts';
import { openView, type SteeringView } from '../core/view.ts';
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
  /** Told the code of each map that was refused. */
  readonly onRefused: (code: string) => void;
}

/** The map that answers, and its way in. */
export interface MapHolder {
  /** Undefined until the first map. */
  view(): SteeringView | undefined;
  sequence(): number;
  /**
   * Takes a signed map: verifies signature, audience, sequence and notAfter, fetches the tables that are not held, compiles,
   * then swaps it in and stores it; all but its routes before those are merged. One that is held already is left alone. Maps are taken one after the other.
   *
   * @returns whether it was newer.
   * @throws SIGNATURE_INVALID, KEY_UNKNOWN, DOCUMENT_FOREIGN, DOCUMENT_STALE, DOCUMENT_EXPIRED, ROUTE_TABLE_INVALID,
   * ROUTE_TABLE_MISMATCH, ROUTE_TABLE_UNKNOWN, HOLDINGS_INVALID, or what the fetch throws; the map held stays.
   */
  take(jws: string, fetchTable: FetchTable): Promise<boolean>;
  /**
   * Takes the stored map, also past its notAfter: an old map is better than none. One that does not verify is left, and so is
   * one whose tables are damaged: they come with the next map.
   */
  load(): Promise<void>;
  /** Writes what spares the next start most of its work. A failure is logged: the start takes longer then. */
  write(): Promise<void>;
}

/** The view that answers, and how another comes in its place. */
function createViewInForce({ log, onView }: Pick<MapHolderOptions, 'log' | 'onView'>) {
  let view: SteeringView | undefined;
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
    /** Shows what was compiled; what is left out is as it is in the view in force. */
    swapIn(parts: CompiledParts): void {
      const routes = parts.routes ?? view?.routes;
      const holdings = parts.holdings ?? view?.holdings;
      assert(routes !== undefined && holdings !== undefined, 'only what is held is left out');
      const next = openView({ ...parts, routes, holdings });
      if (parts.routes !== undefined && routes.defaultsDropped > 0)
        log.warn({ sequence: parts.sequence, defaults: routes.defaultsDropped }, 'routes dropped');
      show(next);
    },
  };
}

export function createMapHolder(options: MapHolderOptions): MapHolder {
  const { snapshot, compiler, clock, log } = options;
  const inForce = createViewInForce(options);
  const writer = createWriter(options);
  /** The number of the last map whose routes could not be merged. It is tried again, and not shown without them again. */
  let unmerged: number | undefined;

  const open = async (
    jws: string,
    { nowMs, fetchTable }: { nowMs: number; fetchTable: FetchTable | undefined },
  ): Promise<boolean> => {
    const kid = documentKeyId(jws, documentTypes.steeringMap);
    const key = options.findKey(kid);
    if (key === undefined) throw coded('KEY_UNKNOWN', `the map: no valid key ${kid}`);
    const demands = { audience: 'steering', sequenceMin: inForce.view()?.sequence ?? 0, nowMs };
    const { sequence, missing } = await compiler.open({ jws, key, demands });
    if (sequence === inForce.view()?.sequence) return false;
    if (fetchTable !== undefined) await fetchAll(missing, (table) => fetchInto(compiler, table, fetchTable));
    const before = inForce.view();
    const early = sequence === unmerged ? undefined : await compiler.compileEarly();
    if (early !== undefined) inForce.swapIn(early);
    try {
      inForce.swapIn(await compiler.compile());
    } catch (error) {
      unmerged = sequence;
      if (early !== undefined && before !== undefined) inForce.show(before);
      throw error;
    }
    options.onMap(jws);
    return true;
  };

  return {
    view: inForce.view,
    sequence: () => inForce.view()?.sequence ?? 0,
    write: writer.now,
    async take(jws, fetchTable) {
      let isNewer: boolean;
      try {
        isNewer = await open(jws, { nowMs: clock.nowMs(), fetchTable });
      } catch (error) {
        options.onRefused(toCoded(error).code);
        throw error;
      }
      if (isNewer) {
        inForce.tell('map taken');
        await snapshot.write(jws);
        await writer.seldom();
      }
      return isNewer;
    },
    async load() {
      const jws = await snapshot.read();
      if (jws === undefined) return;
      try {
        // Time 0: past its notAfter it still answers; only what is new must be in time.
        await open(jws, { nowMs: 0, fetchTable: undefined });
        inForce.tell('map loaded from the snapshot');
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
