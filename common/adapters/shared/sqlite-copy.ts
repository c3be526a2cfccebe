import { systemCode } from '../../runtime/errors.ts';
import { sqliteError, type SqliteFile } from './sqlite-file.ts';
import { storeError } from './store-error.ts';

/** 1 MiB of pages: a millisecond or two between which requests are answered. */
const stepPages = 256;
const allPages = 0x7fffffff;

/** How a copy is made; as the ports of stores say. */
interface CopyOptions {
  beforeEnd: () => Promise<void>;
  onProgress?: ((fraction: number) => void) | undefined;
}

/**
 * Copies a database that this process holds, by SQLite's online backup (https://www.sqlite.org/backup.html): what is changed
 * meanwhile by the same connection is changed in the copy too, so it ends as of its last step, which comes once `beforeEnd` has
 * resolved. Errors: what `beforeEnd` rejects with, DISK_FULL, STORE_DENIED, STORE_UNAVAILABLE.
 */
export async function copySqlite(
  file: SqliteFile,
  path: string,
  { beforeEnd, onProgress }: CopyOptions,
): Promise<void> {
  let end:
    { readonly kind: 'far' | 'awaited' | 'now' } | { readonly kind: 'failed'; readonly error: unknown } = {
    kind: 'far',
  };
  const awaitEnd = async (): Promise<void> => {
    end = { kind: 'awaited' };
    try {
      await beforeEnd();
      end = { kind: 'now' };
    } catch (error) {
      end = { kind: 'failed', error };
    }
  };
  // Says how many pages the next step takes; what it throws ends the copy.
  const progress = ({
    totalPages,
    remainingPages,
  }: {
    totalPages: number;
    remainingPages: number;
  }): number => {
    onProgress?.(1 - remainingPages / Math.max(1, totalPages));
    if (end.kind === 'failed') throw end.error;
    if (end.kind === 'now') return allPages;
    // The last step is kept back even where all would fit into the first.
    if (remainingPages > stepPages) return Math.min(stepPages, remainingPages - 1);
    if (end.kind === 'far') void awaitEnd();
    return 0;
  };
  try {
    await file.backup(path, { progress });
  } catch (error) {
    // A directory that is not there, and what ends the copy from outside, are errors without a code of SQLite.
    const isSqlites = systemCode(error)?.startsWith('SQLITE_') === true;
    throw (isSqlites ? sqliteError : storeError)(error, `copying ${file.name} to ${path}`);
  }
}
