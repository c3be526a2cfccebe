import type { Address } from '../../common/core/ip-address.ts';

/** What becomes of a reply: sent; sent empty and truncated, so that who is real comes back by TCP; not sent. */
export type RateVerdict = 'send' | 'slip' | 'drop';

export interface RateLimitOptions {
  /** Replies of one kind a second to one network; as many may come at once. */
  readonly repliesPerSecond: number;
  /** By chance: an attacker must not know which networks share a place of the table. */
  readonly seed: number;
}

const PLACES = 2 ** 16;
const WAYS = 2;
const WINDOW_MS = 1000;
/** Of the replies over the limit every second one slips through, as in BIND. */
const SLIP = 2;
const NETWORK_WORDS = { 4: [0xffffff00], 6: [0xffffffff, 0xffffff00] } as const;

/**
 * Response rate limiting (ISC-TN-2012-1): replies to forged sources are what makes DNS servers weapons. Counted per network
 * (/24, /56) and kind of reply, by the generic cell rate algorithm: of each only the time is kept at which it has paid for
 * all that it got. The table has a fixed size; who comes to a full place takes that of the one that owes least.
 */
export class RateLimit {
  readonly #intervalMs: number;
  readonly #seed: number;
  readonly #keys = new Uint32Array(PLACES);
  readonly #paidAtMs = new Float64Array(PLACES);
  readonly #over = new Uint8Array(PLACES);

  constructor({ repliesPerSecond, seed }: RateLimitOptions) {
    this.#intervalMs = WINDOW_MS / repliesPerSecond;
    this.#seed = seed;
  }

  /** Counts a reply of a kind to a client. `nowMs` is monotonic. */
  judge(client: Address, kind: number, nowMs: number): RateVerdict {
    const key = this.#keyOf(client, kind);
    const place = this.#placeOf(key);
    const paidAtMs = Math.max(nowMs, this.#paidAtMs[place] ?? 0) + this.#intervalMs;
    if (paidAtMs - nowMs <= WINDOW_MS) {
      this.#paidAtMs[place] = paidAtMs;
      return 'send';
    }
    const over = ((this.#over[place] ?? 0) + 1) % SLIP;
    this.#over[place] = over;
    return over === 0 ? 'slip' : 'drop';
  }

  #placeOf(key: number): number {
    const first = (key & (PLACES / WAYS - 1)) * WAYS;
    if (this.#keys[first] === key) return first;
    if (this.#keys[first + 1] === key) return first + 1;
    const place = (this.#paidAtMs[first] ?? 0) <= (this.#paidAtMs[first + 1] ?? 0) ? first : first + 1;
    this.#keys[place] = key;
    this.#paidAtMs[place] = 0;
    return place;
  }

  #keyOf({ family, words }: Address, kind: number): number {
    let hash = this.#seed ^ kind;
    const masks = NETWORK_WORDS[family];
    for (let word = 0; word < masks.length; word++) {
      hash = Math.imul(hash ^ ((words[word] ?? 0) & (masks[word] ?? 0)), 0x85ebca6b);
      hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    }
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}
