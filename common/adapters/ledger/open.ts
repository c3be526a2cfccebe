import { fileURLToPath } from 'node:url';
import { coded } from '../../runtime/errors.ts';
import type { Ledger } from './port.ts';

/**
 * Opens a ledger by URL: `sqlite:///absolute/file.db`, made when absent. Errors: CONFIG_INVALID for a URL that names no engine;
 * STORE_LOCKED when another process has it; STORE_NEWER; those of the port.
 */
export async function openLedger(url: string): Promise<Ledger> {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'sqlite:' && parsed.host === '' && parsed.pathname.startsWith('/')) {
    const { openSqliteLedger } = await import('./sqlite.ts');
    return await openSqliteLedger(fileURLToPath(`file://${parsed.pathname}`));
  }
  throw coded('CONFIG_INVALID', 'a ledger is opened by sqlite:///absolute/file.db');
}
