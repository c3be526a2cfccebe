import type { KeyObject } from 'node:crypto';
import { documentTypes, Keyset, type KeyUse } from '../contract/documents.ts';
import type { PublicJwk } from '../contract/primitives.ts';
import { usableKey } from '../core/documents.ts';
import type { Clock } from './clock.ts';
import { importPublicJwk, thumbprint } from './keys.ts';
import { openDocument } from './signed-documents.ts';

/** The keys that the root vouches for, as one process holds them now. */
export interface Keyring {
  /** The root key, and its thumbprint. */
  rootJwk: PublicJwk;
  rootKid: string;
  /** Sequence of the keyset held; 0 for none. */
  sequence(): number;
  /** The signed keyset held, for storing and passing on. */
  signed(): string | undefined;
  /**
   * Takes a signed keyset, by the root alone and not older than the one held.
   *
   * @returns whether it was newer.
   * @throws SIGNATURE_INVALID, KEY_UNKNOWN, DOCUMENT_STALE, DOCUMENT_EXPIRED.
   */
  take(jws: string): Promise<boolean>;
  /** The key that may verify now what was signed with `kid` for `use`; undefined when unknown, revoked or out of time. */
  find(kid: string, use: KeyUse): KeyObject | undefined;
}

interface Held {
  jws: string;
  sequence: number;
  keyset: Keyset;
  keys: Map<string, KeyObject>;
}

/** Makes an empty keyring that trusts one root key. */
export function createKeyring({ rootJwk, clock }: { rootJwk: PublicJwk; clock: Clock }): Keyring {
  const rootKid = thumbprint(rootJwk);
  const rootKey = importPublicJwk(rootJwk);
  let held: Held | undefined;
  return {
    rootJwk,
    rootKid,
    sequence: () => held?.sequence ?? 0,
    signed: () => held?.jws,
    async take(jws) {
      const sequenceMin = held?.sequence ?? 0;
      const { sequence, body } = await openDocument(jws, {
        typ: documentTypes.keyset,
        schema: Keyset,
        findKey: (kid) => (kid === rootKid ? rootKey : undefined),
        audience: '*',
        sequenceMin,
        nowMs: clock.nowMs(),
      });
      // What was newer meanwhile stays: two takes may overlap.
      if (held !== undefined && sequence <= held.sequence) return false;
      const keys = new Map(body.keys.map((key) => [key.kid, importPublicJwk(key.jwk)]));
      held = { jws, sequence, keyset: body, keys };
      return true;
    },
    find(kid, use) {
      if (held === undefined) return undefined;
      const found = usableKey(held.keyset, { kid, use, nowMs: clock.nowMs() });
      return found.ok ? held.keys.get(kid) : undefined;
    },
  };
}
