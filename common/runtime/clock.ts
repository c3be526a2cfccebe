/** What waits may be given: a signal that ends them early. */
export interface SleepOptions {
  signal?: AbortSignal | undefined;
}

/**
 * Time, as everything in Nearcast is given it: nothing but the system clock below reads the machine's.
 * Leases and deadlines use `monotonicMs`; only what is shown or signed uses `nowMs`.
 */
export interface Clock {
  /** Wall time in milliseconds since 1970-01-01 UTC; may jump. */
  nowMs(): number;
  /** Milliseconds since some fixed moment; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it is aborted before. */
  sleep(ms: number, options?: SleepOptions): Promise<void>;
}

// setTimeout fires at once for longer delays, so longer sleeps are cut into pieces.
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The machine's clock. A sleep keeps the process alive while it lasts. */
export function createSystemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    async sleep(ms, options = {}) {
      let leftMs = Math.max(0, ms);
      do {
        const pieceMs = Math.min(leftMs, TIMER_MS_MAX);
        await sleepOnce(pieceMs, options.signal);
        leftMs -= pieceMs;
      } while (leftMs > 0);
    },
  };
}

function sleepOnce(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortReason(signal));
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      if (signal !== undefined) reject(abortReason(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new DOMException('The wait was aborted.', 'AbortError');
}
