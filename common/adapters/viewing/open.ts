import { fileURLToPath } from 'node:url';
import { coded } from '../../runtime/errors.ts';
import type { WalSyncOptions } from '../shared/wal-sync.ts';
import type { Viewing } from './port.ts';

/**
 * Opens viewing state by URL: `sqlite:///absolute/file.db`, made when absent. Errors: CONFIG_INVALID for a URL that names no
 * engine; STORE_LOCKED when another process has it; STORE_NEWER; STORE_CORRUPT; STORE_UNSYNCED (openWalSync); those of the port.
 */
export async function openViewing(url: string, options: WalSyncOptions): Promise<Viewing> {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'sqlite:' && parsed.host === '' && parsed.pathname.startsWith('/')) {
    const { openSqliteViewing } = await import('./sqlite.ts');
    return await openSqliteViewing(fileURLToPath(`file://${parsed.pathname}`), options);
  }
  throw coded('CONFIG_INVALID', 'viewing state is opened by sqlite:///absolute/file.db');
}
