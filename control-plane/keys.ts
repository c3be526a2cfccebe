import { join } from 'node:path';
import type { Base } from './base.ts';
import { restoredFromMs } from './restored.ts';
import { createAccess, type Access } from './services/access/service.ts';
import { openStores, type Stores } from './stores.ts';

/** Makes new keys and ends; refused while a control plane runs on the same data (STORE_LOCKED). */
export async function rotateKeys(base: Base): Promise<number> {
  const stores = await openStores(base);
  try {
    const { keys } = await openAccess(base, stores);
    await keys.rotate(base.config.revokeKeys);
    base.log.info({ keyset: keys.keyset().sequence }, 'keys rotated; the new ones sign in ten minutes');
    return 0;
  } finally {
    await stores.close();
  }
}

/** Opens the keys, and what is signed and verified with them. */
export async function openAccess({ config, clock, chance, log }: Base, stores: Stores): Promise<Access> {
  return createAccess({
    records: await stores.open('access'),
    keysDir: join(config.dataDir, 'keys'),
    operatorTokenFile: join(config.dataDir, 'operator.token'),
    restoredFromMs: await restoredFromMs(config.dataDir),
    serviceTokenFile: config.serviceTokenFile,
    clock,
    chance,
    log,
  });
}
