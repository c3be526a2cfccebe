import type { Clock } from '../../common/runtime/clock.ts';
import type { Log } from '../../common/runtime/log.ts';

export interface TellerOptions {
  /** How many calls may be under way; what comes beside so many is not told. */
  readonly underWayMax: number;
  readonly clock: Clock;
  readonly log: Log;
  /** What it means that somebody did not hear, for the log. */
  readonly unheard: string;
}

const warnEveryMs = 60_000;

/**
 * Tells another service of what nobody waits for and what may be lost, as by a process that is away. The log hears of it once a minute at
 * most, and how many calls were lost since it heard last.
 */
export function createTeller({ underWayMax, clock, log, unheard }: TellerOptions) {
  let underWay = 0;
  let lost = 0;
  let warnedAtMs = -Infinity;
  const lose = (error: object): void => {
    lost++;
    if (clock.monotonicMs() - warnedAtMs < warnEveryMs) return;
    log.warn({ ...error, lost }, unheard);
    lost = 0;
    warnedAtMs = clock.monotonicMs();
  };
  return (call: () => Promise<unknown>): void => {
    if (underWay >= underWayMax) {
      lose({ underWay });
      return;
    }
    underWay++;
    call()
      .catch((error: unknown) => {
        lose({ err: error });
      })
      .finally(() => {
        underWay--;
      });
  };
}
