import { createHmac } from 'node:crypto';

import { parseAddress } from '../../common/core/ip-address.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { assert } from '../../common/runtime/errors.ts';

const keyBytes = 32;
const dayMs = 86_400_000;
/** Between looks at the wall clock, which may jump. */
const lookMs = 60_000;

export interface DailyAddressKeyOptions {
  clock: Clock;
  chance: Chance;
  /** A key is in force; those who keep a copy replace theirs. The buffer is overwritten when its day is over. */
  onKey: (key: Buffer) => void;
}

/**
 * The key that addresses become pseudonyms with (ADR 6). It is made anew at each midnight UTC and at each start, lives in
 * memory only, and is overwritten when its day is over: from then on nobody can find the address behind a pseudonym by
 * trying all of them, and the pseudonyms of two days have nothing in common.
 */
export class DailyAddressKey {
  readonly #options: DailyAddressKeyOptions;
  readonly #key = Buffer.alloc(keyBytes);
  #day: number | undefined;

  constructor(options: DailyAddressKeyOptions) {
    this.#options = options;
  }

  /** The key in force; undefined before the first and after the end. */
  get key(): Buffer | undefined {
    return this.#day === undefined ? undefined : this.#key;
  }

  /** Makes the first key, and a new one each day until the signal ends it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      this.turn();
      const untilMidnightMs = dayMs - (clock.nowMs() % dayMs);
      await clock.sleep(Math.min(lookMs, untilMidnightMs), { signal }).catch(() => undefined);
    }
    this.#key.fill(0);
    this.#day = undefined;
  }

  /** Makes a new key where the day is another one than that of the last. */
  turn(): void {
    const { clock, chance, onKey } = this.#options;
    const day = Math.floor(clock.nowMs() / dayMs);
    if (day === this.#day) return;
    this.#day = day;
    const made = chance.bytes(keyBytes);
    made.copy(this.#key);
    made.fill(0);
    onKey(this.#key);
  }
}

/** Turns addresses into pseudonyms in one process, as the native engine does in its own. */
export class Pseudonyms {
  readonly #key = Buffer.alloc(keyBytes);
  #hasKey = false;

  setKey(key: Buffer): void {
    assert(key.length === keyBytes, 'an address key has 32 bytes');
    key.copy(this.#key);
    this.#hasKey = true;
  }

  /**
   * The first 8 bytes of HMAC-SHA256 over the 16 bytes of the address, IPv4 as ::ffff:0:0/96, as 16 hex digits. Undefined
   * before there is a key and for what is no address.
   */
  of(address: string): string | undefined {
    if (!this.#hasKey) return undefined;
    // The zone of a link-local address says nothing to others.
    const parsed = parseAddress(address.replace(/%.*$/, ''));
    if (parsed === undefined) return undefined;
    const words = parsed.family === 4 ? [0, 0, 0xffff, ...parsed.words] : parsed.words;
    const bytes = Buffer.alloc(16);
    for (const [index, word] of words.entries()) bytes.writeUInt32BE(word, 4 * index);
    return createHmac('sha256', this.#key).update(bytes).digest('hex').slice(0, 16);
  }
}
