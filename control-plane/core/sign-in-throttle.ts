import { growingCache } from '../../common/core/growing-cache.ts';

const freeFailures = 5;
const delayMsMax = 15 * 60_000;
const forgottenAfterMs = 3_600_000;
const keysMax = 50_000;

/**
 * Makes guessing slow: after five failures under a key the next try waits a second, then two, four, up to a quarter of an hour. The
 * keys are what a guesser shares with nobody else, the address of an account together with the network that tries, so that nobody
 * is locked out by what happens elsewhere.
 */
export class SignInThrottle {
  readonly #tries = growingCache<string, { failures: number; atMs: number }>(keysMax);
  readonly #freeFailures: number;

  constructor(options: { freeFailures?: number } = {}) {
    this.#freeFailures = options.freeFailures ?? freeFailures;
  }

  /** Begins a try, which counts as failed until `succeed`. @returns for how many milliseconds to wait instead; 0 for none. */
  begin(key: string, nowMs: number): number {
    const last = this.#tries.get(key);
    const failures = last === undefined || nowMs - last.atMs > forgottenAfterMs ? 0 : last.failures;
    const over = failures - this.#freeFailures;
    const delayMs = over < 0 ? 0 : Math.min(delayMsMax, 1000 * 2 ** Math.min(over, 20));
    const leftMs = last === undefined ? 0 : last.atMs + delayMs - nowMs;
    if (delayMs > 0 && leftMs > 0) return leftMs;
    this.#tries.set(key, { failures: failures + 1, atMs: nowMs });
    return 0;
  }

  /** Forgets the failures under a key. */
  succeed(key: string): void {
    this.#tries.delete(key);
  }

  /** Takes back a try that did not fail, and nothing of those before: one's own account is no way to guess at others'. */
  takeBack(key: string): void {
    const last = this.#tries.get(key);
    if (last !== undefined) this.#tries.set(key, { ...last, failures: Math.max(0, last.failures - 1) });
  }
}
