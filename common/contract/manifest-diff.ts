import { documentPayload, FillManifest } from './documents.ts';
import { Sequence } from './primitives.ts';
import { Type, type Static } from './type.ts';

const Kept = Type.Tuple([Type.Integer({ minimum: 0 }), Type.Integer({ minimum: 1 })]);
const Base64Url = Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: 4096 });
const { files, roster } = FillManifest.properties;

/**
 * A signed fill manifest as its difference from an earlier one: only another way to carry the same bytes. Who holds the
 * earlier one makes the whole JWS of it again and verifies that; the difference itself needs no trust.
 */
export const ManifestDiff = Type.Object({
  /** Sequence of the manifest that it is the difference from. */
  base: Sequence,
  /** Protected header and signature of the whole's JWS. */
  protected: Base64Url,
  signature: Base64Url,
  /** Its payload, with no files and no roster in it. */
  payload: documentPayload(FillManifest),
  /** Its files: runs of the earlier one's as [from, count], and those that are new. */
  files: Type.Array(Type.Union([Kept, files.items]), { maxItems: 2_000_000 }),
  /** Its roster, likewise. */
  roster: Type.Array(Type.Union([Kept, roster.items]), { maxItems: 10_000 }),
});
export type ManifestDiff = Static<typeof ManifestDiff>;
