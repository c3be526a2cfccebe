import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { isCoded, toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { MissingTable } from './map-compiler.ts';
import type { FetchTable, MapHolder } from './map-holder.ts';

/** What the follower asks of the control plane. */
export interface MapSource {
  /** Long-polls for a map newer than `after`; undefined where none came in `waitMs`. */
  fetchMap(query: { after: number; waitMs: number }, signal: AbortSignal): Promise<string | undefined>;
  /** Fetches a table that a map names, packed. */
  fetchTable(table: MissingTable, signal: AbortSignal): Promise<Uint8Array>;
  /** Fetches the keyset and takes it. */
  refreshKeys(signal: AbortSignal): Promise<void>;
}

export interface MapFollowerOptions {
  readonly source: MapSource;
  readonly holder: MapHolder;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly waitMs: number;
}

/** Follows the control plane's map for as long as the process lives. */
export interface MapFollower {
  /** Whether the last call to the control plane succeeded. */
  isConnected(): boolean;
  run(signal: AbortSignal): Promise<void>;
}

const BACKOFF_MIN_MS = 200;
const EMPTY_MS = 100;
const BACKOFF_MAX_MS = 5_000;

export function createMapFollower(options: MapFollowerOptions): MapFollower {
  const { source, holder, clock, log } = options;
  let connected = false;

  const setConnected = (now: boolean, error?: unknown): void => {
    if (now === connected) return;
    connected = now;
    if (now) log.info('control plane connected');
    else
      log.warn({ code: toCoded(error).code, err: error }, 'control plane lost: answering from the last map');
  };
  const take = async (jws: string, signal: AbortSignal): Promise<void> => {
    const fetchTable: FetchTable = (table) => source.fetchTable(table, signal);
    try {
      await holder.take(jws, fetchTable);
    } catch (error) {
      // The keys may have been rotated since they were last fetched.
      if (!isCoded(error, 'KEY_UNKNOWN')) throw error;
      await source.refreshKeys(signal);
      await holder.take(jws, fetchTable);
    }
  };
  const once = async (signal: AbortSignal): Promise<void> => {
    // While it is not known to be there, an answer at once tells sooner that it is.
    const waitMs = connected ? options.waitMs : 0;
    const jws = await source.fetchMap({ after: holder.sequence(), waitMs }, signal);
    setConnected(true);
    if (jws === undefined) {
      // A control plane that drains answers at once, and would be asked without end.
      await clock.sleep(EMPTY_MS, { signal });
      return;
    }
    await take(jws, signal).catch((error: unknown) => {
      // That a table could not be fetched says nothing against the map.
      throw isCoded(error, 'CONTROL_UNREACHABLE') ? error : new RefusedMap(error);
    });
  };

  return {
    isConnected: () => connected,
    async run(signal) {
      const isOver = (): boolean => signal.aborted;
      let backoffMs = BACKOFF_MIN_MS;
      while (!isOver()) {
        try {
          await once(signal);
          backoffMs = BACKOFF_MIN_MS;
          continue;
        } catch (error) {
          if (isOver()) return;
          if (error instanceof RefusedMap) {
            log.error(
              { code: toCoded(error.cause).code, err: error.cause },
              'map refused: the one held stays',
            );
          } else setConnected(false, error);
        }
        const jitteredMs = backoffMs * (0.5 + options.chance.fraction() / 2);
        backoffMs = Math.min(BACKOFF_MAX_MS, backoffMs * 2);
        await clock.sleep(jitteredMs, { signal }).catch(() => undefined);
      }
    },
  };
}

/** The control plane is there, but what it sent is not taken. */
class RefusedMap extends Error {
  override readonly name = 'RefusedMap';

  constructor(cause: unknown) {
    super('map refused', { cause });
  }
}
