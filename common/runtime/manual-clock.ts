import type { Clock } from './clock.ts';

/** A clock that stands still until it is told to move: for tests and simulations. */
export interface ManualClock extends Clock {
  /** Moves both times forward by `ms`, waking sleepers in the order in which they are due. */
  advance(ms: number): Promise<void>;
  /** Moves wall time only, as a clock correction does; sleepers do not notice. */
  jumpWall(ms: number): void;
  /** How many sleeps are under way. */
  sleeping(): number;
}

interface Sleeper {
  dueMs: number;
  wake: () => void;
}

/** Makes a manual clock whose wall time starts at `nowMs` and whose monotonic time starts at 0. */
export function createManualClock(options: { nowMs?: number } = {}): ManualClock {
  let wallOffsetMs = options.nowMs ?? Date.UTC(2026, 0, 1);
  let elapsedMs = 0;
  const sleepers = new Set<Sleeper>();

  const nextDue = (limitMs: number): Sleeper | undefined => {
    let next: Sleeper | undefined;
    for (const sleeper of sleepers) {
      if (sleeper.dueMs <= limitMs && (next === undefined || sleeper.dueMs < next.dueMs)) next = sleeper;
    }
    return next;
  };

  return {
    nowMs: () => wallOffsetMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    sleeping: () => sleepers.size,
    jumpWall(ms) {
      wallOffsetMs += ms;
    },
    sleep(ms, { signal } = {}) {
      return new Promise((resolve, reject) => {
        const leave = (settle: () => void): void => {
          sleepers.delete(sleeper);
          signal?.removeEventListener('abort', onAbort);
          settle();
        };
        const onAbort = (): void => {
          leave(() => {
            reject(
              signal?.reason instanceof Error ? signal.reason : new DOMException('Aborted', 'AbortError'),
            );
          });
        };
        const sleeper: Sleeper = {
          dueMs: elapsedMs + Math.max(0, ms),
          wake: () => {
            leave(resolve);
          },
        };
        sleepers.add(sleeper);
        if (signal?.aborted === true) onAbort();
        else signal?.addEventListener('abort', onAbort, { once: true });
      });
    },
    async advance(ms) {
      const endMs = elapsedMs + ms;
      // What is due now may have been asked for in a microtask that has not run yet.
      await settle();
      for (let next = nextDue(endMs); next !== undefined; next = nextDue(endMs)) {
        elapsedMs = Math.max(elapsedMs, next.dueMs);
        next.wake();
        await settle();
      }
      elapsedMs = endMs;
    },
  };
}

/** Lets every continuation of what was just woken run, so that it may sleep again. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
