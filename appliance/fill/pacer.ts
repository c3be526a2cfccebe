import { TokenBucket } from '../../common/core/token-bucket.ts';
import type { Clock } from '../../common/runtime/clock.ts';

// So much time's worth may come at once, so that small reads are not delayed one by one.
const burstSeconds = 0.05;
const burstBytesMin = 256 * 1024;

/** Keeps all downloads of a box together below a rate; without a rate it lets everything pass. */
export class Pacer {
  readonly #clock: Clock;
  #bucket: TokenBucket | undefined;
  #bytesPerSecond: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sets the cap; undefined for none. What waits already keeps its wait. */
  setRate(bytesPerSecond: number | undefined): void {
    if (bytesPerSecond === this.#bytesPerSecond) return;
    this.#bytesPerSecond = bytesPerSecond;
    this.#bucket =
      bytesPerSecond === undefined
        ? undefined
        : new TokenBucket({
            // A cap of zero would divide by it; a byte a second says the same.
            ratePerSecond: Math.max(1, bytesPerSecond),
            burst: Math.max(burstBytesMin, bytesPerSecond * burstSeconds),
            nowMs: this.#clock.monotonicMs(),
          });
  }

  /** Waits until bytes that have come in may be counted as allowed; the sender is held up by its full pipe meanwhile. */
  async pass(bytes: number, signal: AbortSignal): Promise<void> {
    const waitMs = this.#bucket?.reserve(bytes, this.#clock.monotonicMs()) ?? 0;
    if (waitMs > 0) await this.#clock.sleep(waitMs, { signal });
  }
}
