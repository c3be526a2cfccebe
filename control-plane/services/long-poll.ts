import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';

/** Lets many callers wait until something has happened to a key: the server's half of a long poll. */
export interface Waiters {
  /** Resolves when `wake(key)` is called, after `waitMs`, or when the signal is aborted, whichever comes first. */
  wait(key: string, options: { waitMs: number; signal?: AbortSignal | undefined }): Promise<void>;
  wake(key: string): void;
  wakeAll(): void;
}

/** Makes waiters; beyond `waitersMax` at once a caller is refused with OVERLOADED, so that polls cannot pile up. */
export function createWaiters({ clock, waitersMax }: { clock: Clock; waitersMax: number }): Waiters {
  const waiting = new Map<string, Set<() => void>>();
  let count = 0;

  const wake = (key: string): void => {
    const waiters = waiting.get(key);
    waiting.delete(key);
    for (const end of waiters ?? []) end();
  };

  return {
    wake,
    wakeAll() {
      for (const key of [...waiting.keys()]) wake(key);
    },
    async wait(key, { waitMs, signal }) {
      if (waitMs <= 0 || signal?.aborted === true) return;
      if (count >= waitersMax)
        throw coded('OVERLOADED', { detail: 'too many long polls', retryAfterMs: 1000 });
      const ended = new AbortController();
      const end = (): void => {
        ended.abort();
      };
      const waiters = waiting.get(key) ?? new Set();
      waiting.set(key, waiters.add(end));
      count++;
      signal?.addEventListener('abort', end, { once: true });
      try {
        // The rejection of an aborted sleep is how a wake arrives.
        await clock.sleep(waitMs, { signal: ended.signal }).catch(() => undefined);
      } finally {
        count--;
        signal?.removeEventListener('abort', end);
        waiters.delete(end);
        if (waiters.size === 0 && waiting.get(key) === waiters) waiting.delete(key);
      }
    },
  };
}
