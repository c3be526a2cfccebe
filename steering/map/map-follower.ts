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
  const taker = createTaker(options);

  const once = async (signal: AbortSignal): Promise<void> => {
    // While it is not known to be there, an answer at once tells sooner that it is.
    const waitMs = connected ? options.waitMs : 0;
    const asking = AbortSignal.any([signal, taker.failing()]);
    asking.throwIfAborted();
    const jws = await source.fetchMap({ after: holder.sequence(), waitMs }, asking);
    setConnected(true);
    if (jws === undefined) {
      // A control plane that drains answers at once, and would be asked without end.
      await clock.sleep(EMPTY_MS, { signal });
      return;
    }
    await taker.begin(jws, signal);
    taker.failing().throwIfAborted();
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
        } catch (thrown) {
          if (isOver()) break;
          const error: unknown = taker.faultOr(thrown);
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
      await taker.done();
    },
  };
}

/** Takes maps; what is found of one after it was accepted is told by a signal. */
function createTaker({ source, holder }: MapFollowerOptions) {
  /** Ends what is asked, where a map that was accepted turned out to be of no use. */
  let failing = new AbortController();
  let taking: Promise<void> = Promise.resolve();

  const take = async (jws: string, signal: AbortSignal, onAccepted: () => void): Promise<void> => {
    const fetchTable: FetchTable = (table) => source.fetchTable(table, signal);
    try {
      await holder.take(jws, fetchTable, onAccepted);
    } catch (error) {
      // The keys may have been rotated since they were last fetched.
      if (!isCoded(error, 'KEY_UNKNOWN')) throw error;
      await source.refreshKeys(signal);
      await holder.take(jws, fetchTable, onAccepted);
    }
  };
  /** Resolves once the map is accepted: while its routes are merged the next one is asked for. */
  const begin = (jws: string, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const taken = take(jws, signal, resolve).catch((error: unknown) => {
        // That a table could not be fetched says nothing against the map.
        failing.abort(isCoded(error, 'CONTROL_UNREACHABLE') ? error : new RefusedMap(error));
      });
      taking = Promise.all([taking, taken.then(resolve)]).then(() => undefined);
    });
  return {
    begin,
    failing: () => failing.signal,
    /** What was told since this was asked last, or else what was thrown. */
    faultOr(thrown: unknown): unknown {
      const error: unknown = failing.signal.aborted ? failing.signal.reason : thrown;
      failing = new AbortController();
      return error;
    },
    /** Resolves once no map is being taken. */
    done: () => taking,
  };
}

/** The control plane is there, but what it sent is not taken. */
class RefusedMap extends Error {
  override readonly name = 'RefusedMap';

  constructor(cause: unknown) {
    super('map refused', { cause });
  }
}
