import type { Clock } from '../../common/runtime/clock.ts';

/** Lets several loops wait for something to do: until it is announced, a time has passed, or the signal ends it. */
export class Wakeup {
  readonly #clock: Clock;
  readonly #waiting = new Set<AbortController>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Wakes everyone who waits now. */
  notify(): void {
    for (const waiter of this.#waiting) waiter.abort();
  }

  /** Resolves when notified or after `ms`, or when the signal is aborted; never rejects. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const waiter = new AbortController();
    const onAbort = (): void => {
      waiter.abort();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.add(waiter);
    await this.#clock.sleep(ms, { signal: waiter.signal }).catch(() => undefined);
    this.#waiting.delete(waiter);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Whether the signal is aborted by now; for after a wait, where the compiler believes what was so before it. */
export function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}
