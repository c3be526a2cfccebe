import { latencyBoundsUs } from './native-counters.ts';

const quarterMs = 250;

/** Measures in JavaScript what load is judged by; what it keeps does not grow. */
export class LoadMeter {
  readonly ttfbCounts: number[] = new Array<number>(latencyBoundsUs.length + 1).fill(0);
  sentBytes = 0;
  /** The longest reads that ended in this quarter of a second, and in the one before. */
  #longestMs = 0;
  #longestBeforeMs = 0;
  #quarter = 0;
  /** When the reads began that are under way, oldest first. */
  readonly #reads = new Set<{ readonly sinceMs: number }>();

  answered(ttfbMs: number): void {
    const us = ttfbMs * 1000;
    const bucket = latencyBoundsUs.findIndex((bound) => us <= bound);
    const at = bucket < 0 ? latencyBoundsUs.length : bucket;
    this.ttfbCounts[at] = (this.ttfbCounts[at] ?? 0) + 1;
  }

  /** Times a read of the storage. */
  async timed<T>(read: Promise<T>, monotonicMs: () => number): Promise<T> {
    const mine = { sinceMs: monotonicMs() };
    this.#reads.add(mine);
    try {
      return await read;
    } finally {
      this.#reads.delete(mine);
      this.#turn(monotonicMs());
      this.#longestMs = Math.max(this.#longestMs, monotonicMs() - mine.sinceMs);
    }
  }

  /** The longest read of the last quarter of a second, one that is not done among them. */
  longestMs(nowMs: number): number {
    this.#turn(nowMs);
    const [oldest] = this.#reads;
    const pendingMs = oldest === undefined ? 0 : nowMs - oldest.sinceMs;
    return Math.max(pendingMs, this.#longestMs, this.#longestBeforeMs);
  }

  #turn(nowMs: number): void {
    const quarter = Math.floor(nowMs / quarterMs);
    if (quarter === this.#quarter) return;
    this.#longestBeforeMs = quarter === this.#quarter + 1 ? this.#longestMs : 0;
    this.#longestMs = 0;
    this.#quarter = quarter;
  }
}
