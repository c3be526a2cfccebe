import { unescape } from 'node:querystring';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../runtime/clock.ts';
import { coded } from '../../runtime/errors.ts';
import { isLoopback } from '../../runtime/listen.ts';
import type { OpenSearchServer } from './opensearch-client.ts';
import type { Search } from './port.ts';

export interface OpenSearchOptions {
  readonly clock: Clock;
  /** Of the user whom the URL names. */
  readonly password?: string | undefined;
  /** Certificates (PEM) of the authority that a server is trusted by, instead of the system's. */
  readonly ca?: string | undefined;
}

/** What OpenSearch takes as the name of an index, with room for what is put behind it. */
const namePattern = /^[a-z0-9][a-z0-9_-]{0,99}$/;

/**
 * Opens an index by URL: `sqlite:///absolute/file.db` (FTS5), made when absent, or `https://user@host:9200/name` (OpenSearch), where `name` is
 * what its indices begin with; nothing is asked of a server before the first call.
 * Errors: CONFIG_INVALID for a URL that names no engine, for a user without a password or the other way round, for a name with a colon, and for a login that would
 * leave this machine without TLS; STORE_LOCKED when another process has the file; those of the port.
 */
export async function openSearch(url: string, options: OpenSearchOptions): Promise<Search> {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'sqlite:' && parsed.host === '' && parsed.pathname.startsWith('/')) {
    const { openFts5Search } = await import('./fts5.ts');
    return await openFts5Search(fileURLToPath(`file://${parsed.pathname}`));
  }
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
    throw coded(
      'CONFIG_INVALID',
      'search is opened by sqlite:///absolute/file.db or https://user@host:9200/name',
    );
  const { name, ...server } = serverOf(parsed, options);
  const { openOpenSearch } = await import('./opensearch.ts');
  return openOpenSearch(server, name);
}

function serverOf(url: URL, { clock, password, ca }: OpenSearchOptions): OpenSearchServer & { name: string } {
  if (url.password !== '')
    throw coded('CONFIG_INVALID', 'the password of the search server belongs into a file, not into the URL');
  const user = unescape(url.username);
  // RFC 7617 §2: the first colon ends it.
  if (user.includes(':'))
    throw coded('CONFIG_INVALID', 'the name of a user of the search server has no colon in it');
  if ((user === '') !== (password === undefined))
    throw coded('CONFIG_INVALID', 'a user of the search server needs a password, and a password a user');
  const isHere = url.hostname === 'localhost' || isLoopback(url.hostname.replace(/^\[(.*)\]$/, '$1'));
  if (url.protocol === 'http:' && password !== undefined && !isHere)
    throw coded('CONFIG_INVALID', 'the password of the search server is sent by https:// only');
  const segments = url.pathname.split('/').filter((segment) => segment !== '');
  const name = segments.pop() ?? '';
  if (!namePattern.test(name) || url.search !== '')
    throw coded(
      'CONFIG_INVALID',
      'the URL of the search server ends in a name for its indices: https://host:9200/nearcast (a to z, 0 to 9, - and _)',
    );
  return {
    ...{ origin: url.origin, path: segments.map((segment) => `/${segment}`).join(''), name },
    login: password === undefined ? undefined : { user, password },
    ...{ ca, clock },
  };
}
