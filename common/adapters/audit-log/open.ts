import { fileURLToPath } from 'node:url';
import { coded } from '../../runtime/errors.ts';
import type { WalSyncOptions } from '../shared/wal-sync.ts';
import type { AuditLog } from './port.ts';

/**
 * Opens an audit log by URL: `sqlite:///absolute/file.db`, made when absent. Errors: CONFIG_INVALID for a URL that names no engine;
 * STORE_LOCKED when another process has it; STORE_NEWER; those of the port.
 */
export async function openAuditLog(url: string, options: WalSyncOptions): Promise<AuditLog> {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'sqlite:' && parsed.host === '' && parsed.pathname.startsWith('/')) {
    const { openSqliteAuditLog } = await import('./sqlite.ts');
    return await openSqliteAuditLog(fileURLToPath(`file://${parsed.pathname}`), options);
  }
  throw coded('CONFIG_INVALID', 'an audit log is opened by sqlite:///absolute/file.db');
}
