import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';

const keyBytes = 80;
const keysMax = 3;
const rotateMs = 12 * 60 * 60 * 1000;

/**
 * The keys of TLS session tickets: one process makes them for all that serve the box, keeps them in memory only, and
 * replaces the newest every 12 hours. A ticket is good for 24 hours at least, and nothing that was recorded can be read
 * by who takes the box 36 hours later.
 */
export class TicketKeys {
  readonly #clock: Clock;
  readonly #chance: Chance;
  #keys: readonly Buffer[];
  #rotatedMs: number;

  constructor({ clock, chance }: { clock: Clock; chance: Chance }) {
    this.#clock = clock;
    this.#chance = chance;
    this.#keys = [chance.bytes(keyBytes)];
    this.#rotatedMs = clock.monotonicMs();
  }

  /** Newest first: 16 bytes of name, 32 for the HMAC and 32 for AES in each. */
  get keys(): readonly Buffer[] {
    return this.#keys;
  }

  /** Makes a new key when it is time; true when there is one. */
  rotate(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#rotatedMs < rotateMs) return false;
    this.#rotatedMs = nowMs;
    this.#keys = [this.#chance.bytes(keyBytes), ...this.#keys].slice(0, keysMax);
    return true;
  }
}
