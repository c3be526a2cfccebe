import type { LRUCache } from 'lru-cache';

import { growingCache } from '../../../common/core/growing-cache.ts';
import { TokenBucket } from '../../../common/core/token-bucket.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Reporter } from './intake.ts';
import type { EventsOptions } from './ports.ts';

interface Cap {
  readonly ratePerSecond: number;
  readonly burst: number;
}

/**
 * How many events are taken: of one client, and of all who share an address, since sessions cost nothing. What is refused costs
 * neither of them anything.
 */
export class EventCaps {
  readonly #clock: Clock;
  readonly #client: Cap;
  readonly #network: Cap;
  readonly #clients: LRUCache<string, TokenBucket>;
  readonly #networks: LRUCache<string, TokenBucket>;

  constructor({ clock, options }: { clock: Clock; options: EventsOptions }) {
    this.#clock = clock;
    this.#client = { ratePerSecond: options.clientEventsPerSecond, burst: options.clientEventsBurst };
    this.#network = { ratePerSecond: options.networkEventsPerSecond, burst: options.networkEventsBurst };
    this.#clients = growingCache(options.clientsMax);
    this.#networks = growingCache(options.clientsMax);
  }

  /** Charges a request for its events, for one where it has none. Errors: RATE_LIMITED. */
  charge({ client, network }: Pick<Reporter, 'client' | 'network'>, events: number): void {
    const amount = Math.max(1, events);
    const nowMs = this.#clock.monotonicMs();
    const shared = bucketOf(this.#networks, network, { ...this.#network, nowMs });
    if (!shared.has(amount, nowMs)) throw refused('network', this.#network, amount);
    const own = bucketOf(this.#clients, client, { ...this.#client, nowMs });
    if (!own.take(amount, nowMs)) throw refused('client', this.#client, amount);
    shared.take(amount, nowMs);
  }
}

function bucketOf(
  buckets: LRUCache<string, TokenBucket>,
  key: string,
  fresh: Cap & { nowMs: number },
): TokenBucket {
  const bucket = buckets.get(key) ?? new TokenBucket(fresh);
  buckets.set(key, bucket);
  return bucket;
}

function refused(whose: string, { ratePerSecond }: Cap, amount: number): Error {
  const detail = `at most ${ratePerSecond} events a second are taken of one ${whose}`;
  return coded('RATE_LIMITED', { detail, retryAfterMs: Math.ceil((amount / ratePerSecond) * 1000) });
}
