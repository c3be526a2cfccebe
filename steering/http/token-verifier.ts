import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { verifyDeliveryToken, type DeliveryClaims } from '../../common/core/tokens/delivery-token.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { valueOf } from '../../common/runtime/errors.ts';
import { VerifiedTokens } from '../core/verified-tokens.ts';

export interface TokenVerifierOptions {
  /** The key that may verify now, by its id. */
  readonly findKey: (kid: string) => KeyObject | undefined;
  /** Changes when the keys do: what was verified with others is verified again. */
  readonly keysSequence: () => number;
  readonly clock: Clock;
  /** Nobody else knows it. */
  readonly salt: string;
  /** Most memory for claims that were read, about. */
  readonly claimsBytesMax?: number;
  /** Most memory for which signatures are good, a power of two. */
  readonly signaturesBytesMax?: number;
}

const MIB = 2 ** 20;
/** Of a session's claims: its id and its bundle, and what objects cost. */
const CLAIMS_BYTES = 640;

interface Known {
  readonly claims: DeliveryClaims;
  readonly kid: string;
}

/**
 * Makes the verifier of delivery tokens. A player asks with one token again and again, every few minutes: its signature is verified once, as
 * long as it is one of the last million or the keys change; whether its key may still be used and whether it has expired is
 * asked every time. The claims of those that ask often need not be read again either.
 *
 * @throws (the verifier) TOKEN_INVALID, TOKEN_EXPIRED.
 */
export function createTokenVerifier(options: TokenVerifierOptions): (token: string) => DeliveryClaims {
  const { clock, findKey, keysSequence, salt } = options;
  const { claimsBytesMax = 8 * MIB, signaturesBytesMax = 16 * MIB } = options;
  const good = new VerifiedTokens({ bytesMax: signaturesBytesMax, salt });
  const known = new LRUCache<string, Known>({ maxSize: claimsBytesMax, sizeCalculation: sizeOf });
  let keys = keysSequence();
  return (token) => {
    if (keysSequence() !== keys) {
      keys = keysSequence();
      good.clear();
      known.clear();
    }
    const nowMs = clock.nowMs();
    const held = known.get(token);
    const isHeld = held !== undefined && findKey(held.kid) !== undefined;
    if (isHeld && held.claims.expiresAtS * 1000 > nowMs) return held.claims;
    let kid = '';
    const verified = verifyDeliveryToken(token, {
      findKey: (wanted) => findKey((kid = wanted)),
      nowMs,
      isGood: (asked, verify) => good.isGood(asked, Math.floor(nowMs / 1000), verify),
    });
    const claims = valueOf(verified, 'the delivery token');
    // A copy: what was cut out of a request would hold all of it.
    known.set(Buffer.from(token, 'latin1').toString('latin1'), { claims, kid });
    return claims;
  };
}

function sizeOf({ claims: { pathways = [] } }: Known, token: string): number {
  return CLAIMS_BYTES + token.length + pathways.reduce((bytes, id) => bytes + 32 + id.length, 0);
}
