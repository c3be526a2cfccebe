import { SizeBytes, TimeMs } from '../../common/contract/primitives.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import { coded } from '../../common/runtime/errors.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import { dataFormatVersion } from '../data-format.ts';

/** Version of the archive that this program writes. */
export const archiveFormat = 1;
/** The manifest's name in the archive, where it comes first. */
export const manifestPath = 'manifest.json';

/** What a backup is of: each file below the data directory with its SHA-256. */
export const BackupManifest = Type.Object({
  format: Type.Integer({ minimum: 1 }),
  /** The program that made it, for people. */
  program: Type.String({ maxLength: 64 }),
  /** Version of the data directory. */
  dataFormat: Type.Integer({ minimum: 1 }),
  /** The moment of which all records are. */
  takenAtMs: TimeMs,
  files: Type.Array(
    Type.Object({
      // Nothing that leads out of the directory, or to a file that no backup has.
      path: Type.String({
        pattern: '^(records/[a-z][a-z0-9-]*\\.db|keys/[A-Za-z0-9][\\w.-]*|operator\\.token)$',
        maxLength: 99,
      }),
      sizeBytes: SizeBytes,
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    }),
    { maxItems: 1000 },
  ),
});
export type BackupManifest = Static<typeof BackupManifest>;

const Versions = Type.Object({ format: Type.Integer(), dataFormat: Type.Integer() });

/** Reads a manifest. STORE_CORRUPT, STORE_NEWER for one that a newer program wrote. */
export function parseManifest(text: string): BackupManifest {
  const what = 'the manifest of the backup';
  const versions = parseJsonAs(Versions, text, { what, code: 'STORE_CORRUPT' });
  // Before all else: what a newer one has in it need not look like ours.
  if (versions.format > archiveFormat || versions.dataFormat > dataFormatVersion) {
    const { format, dataFormat } = versions;
    const detail = `the backup has formats ${format} and ${dataFormat}, this program knows ${archiveFormat} and ${dataFormatVersion}`;
    throw coded('STORE_NEWER', `${detail}; restore it with the version that made it`);
  }
  return parseJsonAs(BackupManifest, text, { what, code: 'STORE_CORRUPT' });
}
