import type { Log } from '../../common/runtime/log.ts';

export interface TellerOptions {
  /** How many calls may be under way; what comes beside so many is not told. */
  readonly underWayMax: number;
  readonly log: Log;
  /** What it means that somebody did not hear, for the log. */
  readonly unheard: string;
}

/**
 * Tells another service of what nobody waits for and what may be lost, as by a process that is away. The log hears of it once, until a call
 * succeeds again.
 */
export function createTeller({ underWayMax, log, unheard }: TellerOptions) {
  let underWay = 0;
  let isLosing = false;
  const lose = (error: object): void => {
    if (!isLosing) log.warn(error, unheard);
    isLosing = true;
  };
  return (call: () => Promise<unknown>): void => {
    if (underWay >= underWayMax) {
      lose({ underWay });
      return;
    }
    underWay++;
    call()
      .then(
        () => {
          isLosing = false;
        },
        (error: unknown) => {
          lose({ err: error });
        },
      )
      .finally(() => {
        underWay--;
      });
  };
}
