import { watchFile, unwatchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Type } from '../../common/contract/type.ts';

import { Route } from '../../common/contract/documents.ts';
import { parsePrefix } from '../../common/core/ip-address.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';

const Routes = Type.Array(Route, { maxItems: 100_000 });
const watchMs = 2000;

/**
 * Reads the static routes: a JSON list of `{"prefix", "asPathLength", "med"?, "class"}`.
 *
 * @throws CONFIG_INVALID naming the file, the entry and what is wrong with it.
 */
export async function readRoutes(path: string): Promise<Route[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw coded('CONFIG_INVALID', { detail: `the routes file ${path} cannot be read`, cause });
  }
  const routes = parseJsonAs(Routes, text, { what: `the routes file ${path}`, code: 'CONFIG_INVALID' });
  for (const [index, { prefix }] of routes.entries()) {
    const parsed = parsePrefix(prefix);
    const where = `the routes file ${path}: entry ${index + 1}, ${prefix}`;
    if (parsed === undefined) throw coded('CONFIG_INVALID', `${where}, is not a prefix such as 192.0.2.0/24`);
    if (parsed.length === 0) {
      throw coded(
        'CONFIG_INVALID',
        `${where}, is a default route; list only the prefixes that this box is to serve`,
      );
    }
  }
  return routes;
}

/** Tells the routes anew when the file changes; a file that is wrong changes nothing but the log. */
export function watchRoutes(
  path: string,
  options: { onRoutes: (routes: Route[]) => void; log: Log },
): { close: () => void } {
  const onChange = (): void => {
    readRoutes(path).then(options.onRoutes, (error: unknown) => {
      options.log.warn({ err: error }, 'the routes file changed and cannot be used; the old routes stay');
    });
  };
  watchFile(path, { interval: watchMs, persistent: false }, onChange);
  return {
    close: () => {
      unwatchFile(path, onChange);
    },
  };
}
