import { fileURLToPath } from 'node:url';
import { coded } from '../../runtime/errors.ts';
import type { Records } from './port.ts';

/**
 * Opens records by URL: `sqlite:///absolute/file.db`, made when absent. Errors: CONFIG_INVALID for a URL that names no
 * engine; STORE_LOCKED when another process has it; STORE_NEWER; STORE_CORRUPT; those of the port.
 */
export async function openRecords(url: string): Promise<Records> {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'sqlite:' && parsed.host === '' && parsed.pathname.startsWith('/')) {
    const { openSqliteRecords } = await import('./sqlite.ts');
    return await openSqliteRecords(fileURLToPath(`file://${parsed.pathname}`));
  }
  throw coded('CONFIG_INVALID', 'records are opened by sqlite:///absolute/file.db');
}
