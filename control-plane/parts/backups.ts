import packageJson from '../../package.json' with { type: 'json' };
import { openBlobs } from '../../common/adapters/blobs/open.ts';
import { started } from '../background.ts';
import { readPassphrase } from '../backup/passphrase.ts';
import { backupRoutes } from '../services/backup/routes.ts';
import { createBackups } from '../services/backup/service.ts';
import type { Part, PartContext } from './part.ts';

/** Opens the backups of what this process keeps. CONFIG_INVALID for a passphrase that cannot be read. */
export async function openBackupsPart({ config, stores, clock, log }: PartContext): Promise<Part> {
  const { url, everyMs, keep, passphraseFile } = config.backup;
  const backups = createBackups({
    ...{ snapshots: stores, program: packageJson.version, keep, everyMs, clock, log },
    ...{ dataDir: config.dataDir, services: config.services },
    openBlobs: () => openBlobs(url),
    passphrase: await readPassphrase(passphraseFile),
  });
  return {
    components: [started('backups', backups)],
    routes: ({ app }) => {
      backupRoutes(app, { backups });
    },
  };
}
