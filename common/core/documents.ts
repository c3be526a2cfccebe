import type { DocumentPayload, Keyset, KeyUse } from '../contract/documents.ts';
import { ok, refused, type Result } from './result.ts';

/** What a reader demands of a signed document besides its signature. */
export interface DocumentDemands {
  /** The reader's own id; `*` in the document suits everyone. */
  readonly audience: string;
  /** The sequence held already; an older document is refused. 0 where none is held. */
  readonly sequenceMin: number;
  readonly nowMs: number;
}

/** Default life of a signed document (ADR 6). */
export const documentLifeMs = 72 * 3_600_000;

/** The payload checks of ADR 6: audience, sequence, notAfter. The signature was verified before. */
export function checkDocument<T>(payload: DocumentPayload<T>, demands: DocumentDemands): Result<T> {
  if (payload.audience !== demands.audience && payload.audience !== '*') {
    return refused('DOCUMENT_FOREIGN', `it is for ${payload.audience}, not for ${demands.audience}`);
  }
  if (payload.sequence < demands.sequenceMin) {
    return refused(
      'DOCUMENT_STALE',
      `its sequence ${payload.sequence} is older than ${demands.sequenceMin}, which is held`,
    );
  }
  if (payload.notAfterMs <= demands.nowMs) {
    return refused('DOCUMENT_EXPIRED', `it was valid until ${new Date(payload.notAfterMs).toISOString()}`);
  }
  return ok(payload.body);
}

/** The key of a keyset that may verify now what was signed with `kid` for `use`. */
export function usableKey(
  keyset: Keyset,
  want: { kid: string; use: KeyUse; nowMs: number },
): Result<Keyset['keys'][number]> {
  const key = keyset.keys.find((candidate) => candidate.kid === want.kid && candidate.use === want.use);
  if (key === undefined) return refused('KEY_UNKNOWN', `no key ${want.kid} for ${want.use}`);
  if (key.revoked) return refused('KEY_UNKNOWN', `key ${want.kid} was revoked`);
  if (want.nowMs < key.notBeforeMs || want.nowMs >= key.notAfterMs) {
    return refused('KEY_UNKNOWN', `key ${want.kid} is outside its time`);
  }
  return ok(key);
}
