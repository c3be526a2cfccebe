import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { verifyDeliveryToken, type DeliveryClaims } from '../../common/core/tokens/delivery-token.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { valueOf } from '../../common/runtime/errors.ts';

export interface TokenVerifierOptions {
  readonly findKey: (kid: string) => KeyObject | undefined;
  /** Changes when the keys do: what was verified with others is verified again. */
  readonly keysSequence: () => number;
  readonly clock: Clock;
  readonly rememberedMax?: number;
}

/** A key that runs out while a token is remembered counts after this at the latest. */
const REMEMBERED_MS_MAX = 60_000;

/**
 * Makes the verifier of delivery tokens. A player asks with one token again and again: its signature is verified once
 * a minute, its expiry every time.
 *
 * @throws (the verifier) TOKEN_INVALID, TOKEN_EXPIRED.
 */
export function createTokenVerifier(options: TokenVerifierOptions): (token: string) => DeliveryClaims {
  const { clock, findKey, keysSequence } = options;
  const verified = new LRUCache<string, { claims: DeliveryClaims; keys: number; atMs: number }>({
    max: options.rememberedMax ?? 20_000,
  });
  return (token) => {
    const nowMs = clock.nowMs();
    const monotonicMs = clock.monotonicMs();
    const known = verified.get(token);
    const isFresh = known?.keys === keysSequence() && monotonicMs - known.atMs < REMEMBERED_MS_MAX;
    if (isFresh && known.claims.expiresAtS * 1000 > nowMs) return known.claims;
    const claims = valueOf(verifyDeliveryToken(token, { findKey, nowMs }), 'the delivery token');
    verified.set(token, { claims, keys: keysSequence(), atMs: monotonicMs });
    return claims;
  };
}
