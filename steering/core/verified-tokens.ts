import { hash } from 'node:crypto';

// An entry: three words of a token's digest, and when it was asked for last (Unix seconds; 0: the entry is free).
const ENTRY_WORDS = 4;
const STAMP_AT = 3;
/** A token has its place in one of so many entries, which are one line of a cache. */
const WAYS = 4;
const SET_WORDS = WAYS * ENTRY_WORDS;

export interface VerifiedTokensOptions {
  /** Most memory that is used, a power of two; a session takes 16 bytes of it. */
  readonly bytesMax: number;
  /** Makes the digests ours alone, so that nobody can look for a token that has the digest of another. */
  readonly salt: string;
}

/**
 * Remembers of which tokens the signature is good, a few bytes for each: those that were asked for lately. A set-associative cache with
 * LRU in each set, so its size is known whoever asks for what. What was forgotten is verified again.
 */
export class VerifiedTokens {
  readonly #salt: string;
  readonly #sets: number;
  #entries: Uint32Array;

  constructor({ bytesMax, salt }: VerifiedTokensOptions) {
    this.#salt = salt;
    this.#sets = bytesMax / (4 * SET_WORDS);
    this.#entries = new Uint32Array(bytesMax / 4);
  }

  /** Whether a token's signature is good: `verify` is asked unless it has said so before. */
  isGood(token: string, nowS: number, verify: () => boolean): boolean {
    const digest = hash('sha256', this.#salt + token, 'buffer');
    const [a, b, c] = [digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8)];
    const entries = this.#entries;
    // The words that choose the set are not those that are compared.
    const from = (digest.readUInt32LE(12) % this.#sets) * SET_WORDS;
    let oldest = from;
    for (let at = from; at < from + SET_WORDS; at += ENTRY_WORDS) {
      const stamp = entries[at + STAMP_AT] ?? 0;
      if (stamp > 0 && entries[at] === a && entries[at + 1] === b && entries[at + 2] === c) {
        entries[at + STAMP_AT] = nowS;
        return true;
      }
      if (stamp < (entries[oldest + STAMP_AT] ?? 0)) oldest = at;
    }
    if (!verify()) return false;
    entries.set([a, b, c, nowS], oldest);
    return true;
  }

  /** Forgets all. */
  clear(): void {
    this.#entries = new Uint32Array(this.#entries.length);
  }
}
