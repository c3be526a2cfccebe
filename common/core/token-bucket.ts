/** A token bucket: fills at `ratePerSecond` up to `burst`; time is passed in. */
export class TokenBucket {
  readonly #ratePerSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(options: { ratePerSecond: number; burst: number; nowMs: number }) {
    this.#ratePerSecond = options.ratePerSecond;
    this.#burst = options.burst;
    this.#tokens = options.burst;
    this.#atMs = options.nowMs;
  }

  /** Whether `amount` tokens are there. */
  has(amount: number, nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#tokens >= amount;
  }

  /** Takes `amount` tokens if they are there. */
  take(amount: number, nowMs: number): boolean {
    if (!this.has(amount, nowMs)) return false;
    this.#tokens -= amount;
    return true;
  }

  /**
   * Takes `amount` tokens on credit and returns for how many milliseconds the caller must wait before it uses them,
   * so that amounts above the burst pass too, late enough to keep the rate.
   */
  reserve(amount: number, nowMs: number): number {
    this.#refill(nowMs);
    this.#tokens -= amount;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#ratePerSecond) * 1000);
  }

  #refill(nowMs: number): void {
    // A clock that steps back gives nothing and takes nothing.
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs / 1000) * this.#ratePerSecond);
  }
}
