import { readFile } from 'node:fs/promises';
import { openSearch } from '../common/adapters/search/open.ts';
import type { Search } from '../common/adapters/search/port.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { coded } from '../common/runtime/errors.ts';
import type { ControlPlaneConfig } from './config.ts';
import { readSecretLine } from './secret-line.ts';

export interface SearchIndexOptions extends Partial<ControlPlaneConfig['search']> {
  /** Where the index is kept when no server is named. */
  readonly fileUrl: string;
  readonly clock: Clock;
}

/**
 * Opens the index of a service: a file of its own, or on the server that the configuration names, where its name comes behind the URL's.
 * Errors: CONFIG_INVALID, also for a file of certificates that cannot be read; those of openSearch.
 */
export async function openSearchIndex(service: string, options: SearchIndexOptions): Promise<Search> {
  const { url, passwordFile, caFile, fileUrl, clock } = options;
  if (url === undefined) return await openSearch(fileUrl, { clock });
  return await openSearch(`${url.replace(/\/+$/, '')}-${service}`, {
    clock,
    password: passwordFile === undefined ? undefined : await readSecretLine(passwordFile, 'password'),
    ca: caFile === undefined ? undefined : await certificatesIn(caFile),
  });
}

async function certificatesIn(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw coded('CONFIG_INVALID', { detail: `--search-ca-file: ${file} cannot be read`, cause });
  }
}
