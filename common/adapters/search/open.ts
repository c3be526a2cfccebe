import { fileURLToPath } from 'node:url';
import { coded } from '../../runtime/errors.ts';
import type { Search } from './port.ts';

/**
 * Opens an index by URL: `sqlite:///absolute/file.db` (FTS5), made when absent. Errors: CONFIG_INVALID for a URL that names no
 * engine; STORE_LOCKED when another process has it; those of the port.
 */
export async function openSearch(url: string): Promise<Search> {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'sqlite:' && parsed.host === '' && parsed.pathname.startsWith('/')) {
    const { openFts5Search } = await import('./fts5.ts');
    return await openFts5Search(fileURLToPath(`file://${parsed.pathname}`));
  }
  throw coded('CONFIG_INVALID', 'search is opened by sqlite:///absolute/file.db');
}
