import { createHash } from 'node:crypto';
import type { DocumentType } from '../../../common/contract/documents.ts';
import { documentLifeMs } from '../../../common/core/documents.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { signDocument } from '../../../common/runtime/signed-documents.ts';
import type { KeyStore } from './key-store.ts';
import type { AccessRecords, IssueRecord } from './records.ts';
import { sequenceFloor } from './sequence-floor.ts';

/** A document as it goes out. */
export interface IssuedDocument {
  readonly sequence: number;
  readonly jws: string;
}

/** Signs documents, each kind and audience with a sequence of its own that outlives the process. */
export interface DocumentIssuer {
  /**
   * The signed document with this body. The same body as last time gives the same document, until half of its life is over or
   * its key was replaced; anything else a sequence one higher. Calls for one audience must not overlap.
   */
  issue(document: { type: DocumentType; audience: string; body: object }): Promise<IssuedDocument>;
  /** Sequence of the last issue of an earlier process or this one; 0 for none. */
  sequence(type: DocumentType, audience: string): Promise<number>;
}

interface Cached extends IssuedDocument {
  readonly digest: string;
  readonly issuedAtMs: number;
  readonly kid: string;
}

/** Makes the issuer of documents. */
export function createDocumentIssuer(options: {
  records: AccessRecords;
  keys: KeyStore;
  clock: Clock;
}): DocumentIssuer {
  const { records, keys, clock } = options;
  const cache = new Map<string, Cached>();

  return {
    async sequence(type, audience) {
      const key = `${type}:${audience}`;
      return cache.get(key)?.sequence ?? (await records.issues.get(key))?.value.sequence ?? 0;
    },
    async issue({ type, audience, body }) {
      const key = `${type}:${audience}`;
      const digest = createHash('sha256').update(JSON.stringify(body)).digest('base64url');
      const signer = keys.signer('documents');
      const nowMs = clock.nowMs();
      const cached = cache.get(key);
      if (cached !== undefined && isFresh(cached, { digest, nowMs }) && cached.kid === signer.kid)
        return cached;
      const last = cached ?? (await records.issues.get(key))?.value;
      const floor = await sequenceFloor(records);
      // An unchanged document of an earlier process is signed again under its sequence.
      const same =
        cached === undefined &&
        last !== undefined &&
        last.sequence > floor &&
        isFresh(last, { digest, nowMs });
      const sequence = same ? last.sequence : Math.max(last?.sequence ?? 0, floor) + 1;
      const payload = { audience, sequence, issuedAtMs: nowMs, notAfterMs: nowMs + documentLifeMs, body };
      const jws = await signDocument(type, payload, signer);
      // Stored before it goes out: a sequence must never be given twice to different bodies.
      if (!same) await records.issues.put(key, { sequence, digest, issuedAtMs: nowMs });
      const issued = { sequence, jws, digest, issuedAtMs: nowMs, kid: signer.kid };
      cache.set(key, issued);
      return issued;
    },
  };
}

function isFresh(last: IssueRecord, { digest, nowMs }: { digest: string; nowMs: number }): boolean {
  return last.digest === digest && nowMs - last.issuedAtMs < documentLifeMs / 2;
}
