import type { KeyObject } from 'node:crypto';
import { documentTypes, SteeringMap, type DocumentPayload } from '../../common/contract/documents.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { openDocument } from '../../common/runtime/signed-documents.ts';
import { compileView, type SteeringView } from '../core/view.ts';
import type { MapSnapshot } from './snapshot.ts';

export interface MapHolderOptions {
  readonly snapshot: MapSnapshot;
  /** A key of use `documents` that is in force. */
  readonly findKey: (kid: string) => KeyObject | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after each swap, with the view that now answers. */
  readonly onView: (view: SteeringView, payload: DocumentPayload<SteeringMap>) => void;
  /** Told the code of each map that was refused. */
  readonly onRefused: (code: string) => void;
}

/** The map that answers, and its way in. */
export interface MapHolder {
  /** Undefined until the first map. */
  view(): SteeringView | undefined;
  sequence(): number;
  /**
   * Takes a signed map: verifies signature, audience, sequence and notAfter, builds its tables, then swaps it in and
   * stores it. One that is held already is left alone.
   *
   * @returns whether it was newer.
   * @throws SIGNATURE_INVALID, KEY_UNKNOWN, DOCUMENT_FOREIGN, DOCUMENT_STALE, DOCUMENT_EXPIRED; the map held stays.
   */
  take(jws: string): Promise<boolean>;
  /** Takes the stored map, also past its notAfter: an old map is better than none. One that does not verify is left. */
  load(): Promise<void>;
}

export function createMapHolder(options: MapHolderOptions): MapHolder {
  const { snapshot, clock, log } = options;
  let view: SteeringView | undefined;

  const open = async (jws: string, nowMs: number): Promise<boolean> => {
    const payload = await openDocument(jws, {
      typ: documentTypes.steeringMap,
      schema: SteeringMap,
      findKey: options.findKey,
      audience: 'steering',
      sequenceMin: view?.sequence ?? 0,
      nowMs,
    });
    if (payload.sequence === view?.sequence) return false;
    const next = compileView(payload);
    const { dropped } = next.routes;
    if (dropped.defaults + dropped.invalid > 0)
      log.warn({ sequence: next.sequence, ...dropped }, 'routes dropped');
    // The swap: who asked before has the old map whole, who asks from now on the new one.
    view = next;
    options.onView(next, payload);
    return true;
  };

  return {
    view: () => view,
    sequence: () => view?.sequence ?? 0,
    async take(jws) {
      let isNewer: boolean;
      try {
        isNewer = await open(jws, clock.nowMs());
      } catch (error) {
        options.onRefused(toCoded(error).code);
        throw error;
      }
      if (isNewer) {
        log.info({ sequence: view?.sequence, appliances: view?.appliances.length }, 'map taken');
        await snapshot.write(jws);
      }
      return isNewer;
    },
    async load() {
      const jws = await snapshot.read();
      if (jws === undefined) return;
      try {
        // Time 0: past its notAfter it still answers; only what is new must be in time.
        await open(jws, 0);
        log.info(
          { sequence: view?.sequence, appliances: view?.appliances.length },
          'map loaded from the snapshot',
        );
      } catch (error) {
        const { code } = toCoded(error);
        options.onRefused(code);
        log.warn({ code, err: error }, 'the stored map is not used');
      }
    },
  };
}
