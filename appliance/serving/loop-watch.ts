import type { Clock } from '../../common/runtime/clock.ts';

const tickMs = 50;

/** Watches how late this process's event loop comes round. */
export class LoopWatch {
  readonly #clock: Clock;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;
  #longestMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    this.#dueMs = this.#clock.monotonicMs() + tickMs;
    this.#timer = setInterval(() => {
      const nowMs = this.#clock.monotonicMs();
      this.#longestMs = Math.max(this.#longestMs, nowMs - this.#dueMs);
      this.#dueMs = nowMs + tickMs;
    }, tickMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The longest that it was late since this was last asked. */
  takeLongestMs(): number {
    const longestMs = this.#longestMs;
    this.#longestMs = 0;
    return longestMs;
  }
}
