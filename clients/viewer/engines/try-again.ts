const tryAgainMs = 1000;
const triesMax = 120;

/** What makes a library go on after it has given up; see `tryingAgain`. */
export interface TryAgain {
  /** The library has given up. False when it has done so too often for another try. */
  failed(): boolean;
  /** A segment came. */
  served(): void;
  stop(): void;
}

/**
 * The libraries take it for the end when every pathway has failed once, which the viewer's own line does when it is gone for
 * a few seconds. Calls `again` a second after each failure, at most 120 times in a row without a segment.
 */
export function tryingAgain(again: () => void): TryAgain {
  let tries = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    failed() {
      if (tries >= triesMax) return false;
      tries++;
      clearTimeout(timer);
      timer = setTimeout(again, tryAgainMs);
      return true;
    },
    served() {
      tries = 0;
    },
    stop() {
      clearTimeout(timer);
    },
  };
}
