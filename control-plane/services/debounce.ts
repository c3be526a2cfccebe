import type { Clock } from '../../common/runtime/clock.ts';

/** Work that follows changes: soon after the first of them, and never twice at once. */
export interface Debounced {
  /** Something has changed; the work runs after the delay, once for all changes until then. */
  request(): void;
  /** Runs what was requested now; resolves when no work is left. */
  flush(): Promise<void>;
  /** No more runs begin; resolves when the one under way has ended. */
  stop(): Promise<void>;
}

/** Makes debounced work. A failure goes to `onError`, and the next change tries again. */
export function createDebounced(options: {
  clock: Clock;
  delayMs: number;
  run: () => Promise<void>;
  onError: (error: unknown) => void;
}): Debounced {
  const { clock, delayMs, run, onError } = options;
  const stopped = new AbortController();
  let requested = false;
  let hurry = new AbortController();
  let loop: Promise<void> | undefined;

  const isStopped = (): boolean => stopped.signal.aborted;
  const work = async (): Promise<void> => {
    while (requested && !isStopped()) {
      const signal = AbortSignal.any([stopped.signal, hurry.signal]);
      await clock.sleep(delayMs, { signal }).catch(() => undefined);
      if (isStopped()) break;
      requested = false;
      try {
        await run();
      } catch (error) {
        onError(error);
      }
    }
    // In the same step as the last look at `requested`: a request in between would wait for the next one.
    loop = undefined;
  };
  const request = (): void => {
    if (isStopped()) return;
    requested = true;
    loop ??= work();
  };

  return {
    request,
    async flush() {
      hurry.abort();
      while (loop !== undefined) await loop;
      hurry = new AbortController();
    },
    async stop() {
      stopped.abort();
      await loop;
    },
  };
}
