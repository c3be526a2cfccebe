import type { KeyUse } from '../../../common/contract/documents.ts';
import type { KeysetRecord } from './records.ts';

export type KeyEntry = KeysetRecord['keys'][number];

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Every use that a key of the keyset may have. */
export const keyUses: readonly KeyUse[] = ['documents', 'tokens', 'access'];

/** Life of a key and of the keyset that names it: the root may stay offline for a year. */
export const keyLifeMs = 400 * dayMs;
/** A key with less left is replaced where the root is at hand. */
export const renewBeforeMs = 60 * dayMs;
/** How long a new key is known before it signs: verifiers refresh their keyset within this time. */
export const signsAfterMs = 10 * 60_000;
// A verifier whose clock is behind must not refuse a key for being too new.
const notBeforeSlackMs = 5 * 60_000;

// What an old key signed stays valid for: a document 72 h, a delivery token 24 h, an access token 30 days.
const overlapMs: Record<KeyUse, number> = { documents: 72 * hourMs, tokens: 24 * hourMs, access: 30 * dayMs };

/** The entry of a new key. The first key of a use signs at once: there is nobody who knows another. */
export function newEntry(
  key: Pick<KeyEntry, 'kid' | 'use' | 'jwk'>,
  { nowMs, first }: { nowMs: number; first: boolean },
): KeyEntry {
  return {
    ...key,
    notBeforeMs: Math.max(0, nowMs - notBeforeSlackMs),
    notAfterMs: nowMs + keyLifeMs,
    revoked: false,
    signsFromMs: first ? nowMs : nowMs + signsAfterMs,
  };
}

/** The keys that stay beside new ones: each ends when nothing that it signed is valid any more; those past their end go. */
export function retire(keys: readonly KeyEntry[], nowMs: number): KeyEntry[] {
  return (
    keys
      .filter((key) => key.notAfterMs > nowMs)
      .map((key) => {
        const endMs = nowMs + signsAfterMs + overlapMs[key.use];
        return { ...key, notAfterMs: Math.min(key.notAfterMs, endMs) };
      })
      // Made while the clock was ahead: one that begins after its end is none.
      .filter((key) => key.notBeforeMs < key.notAfterMs)
  );
}

/** The key that signs now: of those in force the one that began last. */
export function signingEntry(keys: readonly KeyEntry[], use: KeyUse, nowMs: number): KeyEntry | undefined {
  return keys
    .filter((key) => key.use === use && !key.revoked && key.signsFromMs <= nowMs && key.notAfterMs > nowMs)
    .sort((a, b) => b.signsFromMs - a.signsFromMs)[0];
}

/** Whether every use has a key that signs now. None does where the clock was set back to before the first was made. */
export function signsNow(keys: readonly KeyEntry[], nowMs: number): boolean {
  return keyUses.every((use) => signingEntry(keys, use, nowMs) !== undefined);
}

/** Whether a use has no key that signs now, or none for long enough from now. */
export function needsRenewal(keys: readonly KeyEntry[], nowMs: number): boolean {
  if (!signsNow(keys, nowMs)) return true;
  return keyUses.some((use) => {
    const last = Math.max(
      0,
      ...keys.filter((key) => key.use === use && !key.revoked).map((key) => key.notAfterMs),
    );
    return last - nowMs < renewBeforeMs;
  });
}
