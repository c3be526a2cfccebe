import { LRUCache } from 'lru-cache';

/** So many requests at once, and so many in each second after. Both are above zero. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** What a table says of one request. */
export interface RateDecision {
  readonly isAllowed: boolean;
  /** Requests that may follow at once. */
  readonly remaining: number;
  /** Until the whole burst is there again. */
  readonly fullInMs: number;
  /** Until the next request is allowed; 0 where one is now. */
  readonly retryAfterMs: number;
}

/**
 * Token buckets by key, kept as the one moment at which each is full again (the generic cell rate algorithm, ITU-T I.371
 * annex A, which allows just what a token bucket does). Time is passed in. Of more than `keysMax` keys the one that asked
 * longest ago is forgotten: it has its whole burst again.
 */
export class RateTable {
  readonly #fullAtMs: LRUCache<string, number>;

  constructor(options: { keysMax: number }) {
    this.#fullAtMs = new LRUCache({ max: options.keysMax });
  }

  /** Whether one request of a key would be allowed. */
  mayTake(key: string, { burst, perSecond }: Rate, nowMs: number): boolean {
    const eachMs = 1000 / perSecond;
    return this.#usedMs(key, nowMs) + eachMs <= burst * eachMs + EPSILON_MS;
  }

  /** Takes one request of a key; one that is refused costs nothing. */
  take(key: string, { burst, perSecond }: Rate, nowMs: number): RateDecision {
    const eachMs = 1000 / perSecond;
    const wholeMs = burst * eachMs;
    const usedMs = this.#usedMs(key, nowMs);
    const thenMs = usedMs + eachMs;
    const isAllowed = thenMs <= wholeMs + EPSILON_MS;
    const nextMs = isAllowed ? thenMs : usedMs;
    if (isAllowed) this.#fullAtMs.set(key, nowMs + thenMs);
    return {
      isAllowed,
      remaining: Math.max(0, Math.floor((wholeMs - nextMs + EPSILON_MS) / eachMs)),
      fullInMs: nextMs,
      retryAfterMs: Math.max(0, nextMs + eachMs - wholeMs),
    };
  }

  #usedMs(key: string, nowMs: number): number {
    return Math.max(0, (this.#fullAtMs.get(key) ?? nowMs) - nowMs);
  }
}

// What adding up fractions of a millisecond loses.
const EPSILON_MS = 1e-6;
