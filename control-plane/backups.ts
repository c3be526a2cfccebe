import { openBlobs } from '../common/adapters/blobs/open.ts';
import { readPassphrase } from './backup/passphrase.ts';
import type { Base } from './base.ts';
import type { Snapshots } from './services/backup/ports.ts';
import { createBackups, type Backups } from './services/backup/service.ts';

/** Opens the backups as the configuration says. CONFIG_INVALID for a passphrase that cannot be read. */
export async function openBackups(
  { config, clock, log }: Base,
  { snapshots, program }: { snapshots: Snapshots; program: string },
): Promise<Backups> {
  const { url, everyMs, keep, passphraseFile } = config.backup;
  return createBackups({
    ...{ snapshots, program, keep, everyMs, clock, log, dataDir: config.dataDir },
    openBlobs: () => openBlobs(url),
    passphrase: await readPassphrase(passphraseFile),
  });
}
