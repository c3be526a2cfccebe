import { Type, type Static } from '../../../common/contract/type.ts';
import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records, RecordValue } from '../../../common/adapters/records/port.ts';
import { Keyset } from '../../../common/contract/documents.ts';
import {
  CompactJws,
  NodeId,
  NodeRole,
  PlaceName,
  PublicJwk,
  Sequence,
  Thumbprint,
  TimeMs,
} from '../../../common/contract/primitives.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

/** The keyset in force and when each of its keys begins to sign. */
export const KeysetRecord = Type.Object({
  sequence: Sequence,
  jws: CompactJws,
  issuedAtMs: TimeMs,
  keys: Type.Array(
    Type.Object({
      ...Keyset.properties.keys.items.properties,
      /** Later than notBefore, so that every verifier knows the key before it sees what it signed. */
      signsFromMs: TimeMs,
    }),
  ),
});
export type KeysetRecord = Static<typeof KeysetRecord>;

export const IdentityRecord = Type.Object({
  id: NodeId,
  role: NodeRole,
  site: PlaceName,
  cluster: PlaceName,
  publicJwk: PublicJwk,
  kid: Thumbprint,
  enrolledAtMs: TimeMs,
  revokedAtMs: Type.Optional(TimeMs),
});
export type IdentityRecord = Static<typeof IdentityRecord>;

/** A code by the hash of its secret; the secret itself is nowhere. */
export const CodeRecord = Type.Object({
  secretHash: Thumbprint,
  role: NodeRole,
  name: NodeId,
  site: PlaceName,
  cluster: PlaceName,
  createdAtMs: TimeMs,
  expiresAtMs: TimeMs,
  used: Type.Optional(Type.Object({ atMs: TimeMs, kid: Thumbprint })),
});
export type CodeRecord = Static<typeof CodeRecord>;

/** The last issue of a signed document, by `<type>:<audience>`. */
export const IssueRecord = Type.Object({
  sequence: Sequence,
  digest: Type.String(),
  issuedAtMs: TimeMs,
});
export type IssueRecord = Static<typeof IssueRecord>;

/** What every sequence given out from now on is above. */
export const SequenceFloorRecord = Type.Object({ sequence: Sequence });
export type SequenceFloorRecord = Static<typeof SequenceFloorRecord>;

/** The collections of the access service's own file. */
export interface AccessRecords {
  all: Records;
  keyset: Collection<KeysetRecord>;
  identities: Collection<IdentityRecord>;
  codes: Collection<CodeRecord>;
  issues: Collection<IssueRecord>;
  sequenceFloor: Collection<SequenceFloorRecord>;
}

/** Opens the collections of the access service. */
export function openAccessRecords(records: Records): AccessRecords {
  const open = <T extends RecordValue>(name: string, parse: (value: unknown) => T) =>
    openCollection<T>(records, name, parse);
  return {
    all: records,
    keyset: open('keyset', (value) => parseAs(KeysetRecord, value, { what: 'the stored keyset' })),
    identities: open('identities', (value) =>
      parseAs(IdentityRecord, value, { what: 'the record of a node' }),
    ),
    codes: open('enrolment-codes', (value) => parseAs(CodeRecord, value, { what: 'the record of a code' })),
    issues: open('documents', (value) => parseAs(IssueRecord, value, { what: 'the record of a document' })),
    sequenceFloor: open('sequence-floor', (value) =>
      parseAs(SequenceFloorRecord, value, { what: 'the record of the lowest sequence' }),
    ),
  };
}
