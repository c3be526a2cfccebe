import { fileURLToPath } from 'node:url';
import { coded } from '../../runtime/errors.ts';
import type { WalSyncOptions } from '../shared/wal-sync.ts';
import type { Books, Records } from './port.ts';
import type { GroupedOptions } from './sqlite-grouped.ts';

/**
 * Opens records by URL: `sqlite:///absolute/file.db`, made when absent. Errors: CONFIG_INVALID for a URL that names no
 * engine; STORE_LOCKED when another process has it; STORE_NEWER; STORE_CORRUPT; those of the port.
 */
export async function openRecords(url: string): Promise<Records> {
  const { openSqliteRecords } = await import('./sqlite.ts');
  return await openSqliteRecords(sqlitePath(url));
}

/** Opens records by URL whose commits wait for the disk beside the process' work, see openGroupedRecords. */
export async function openGrouped(url: string, options: GroupedOptions): Promise<Records> {
  const { openGroupedRecords } = await import('./sqlite-grouped.ts');
  return await openGroupedRecords(sqlitePath(url), options);
}

/** Opens books by URL, whose commits wait for the disk beside the process' work. */
export async function openBooks(url: string, options: WalSyncOptions): Promise<Books> {
  const { openSqliteBooks } = await import('./sqlite-books.ts');
  return await openSqliteBooks(sqlitePath(url), options);
}

function sqlitePath(url: string): string {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'sqlite:' && parsed.host === '' && parsed.pathname.startsWith('/'))
    return fileURLToPath(`file://${parsed.pathname}`);
  throw coded('CONFIG_INVALID', 'records are opened by sqlite:///absolute/file.db');
}
