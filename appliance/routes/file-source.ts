import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';

import { Route } from '../../common/contract/documents.ts';
import { Type } from '../../common/contract/type.ts';
import { parsePrefix } from '../../common/core/ip-address.ts';
import { createRouteTableBuilder, routeClasses, type RouteTable } from '../../common/core/route-table.ts';
import { coded, toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import type { RouteListener, RouteSource } from './route-source.ts';

const Routes = Type.Array(Route, { maxItems: 100_000 });
const watchMs = 500;

/**
 * Reads listed routes: JSON, each `{"prefix", "asPathLength", "med"?, "class"}`.
 *
 * @throws CONFIG_INVALID naming the file, the entry and what is wrong with it.
 */
export async function readRoutes(path: string): Promise<RouteTable> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw coded('CONFIG_INVALID', { detail: `the routes file ${path} cannot be read`, cause });
  }
  const routes = parseJsonAs(Routes, text, { what: `the routes file ${path}`, code: 'CONFIG_INVALID' });
  const builder = createRouteTableBuilder();
  for (const [index, { prefix, class: name, asPathLength, med = 0 }] of routes.entries()) {
    const parsed = parsePrefix(prefix);
    const where = `the routes file ${path}: entry ${index + 1}, ${prefix}`;
    if (parsed === undefined) throw coded('CONFIG_INVALID', `${where}, is not a prefix such as 192.0.2.0/24`);
    if (parsed.length === 0) {
      throw coded(
        'CONFIG_INVALID',
        `${where}, is a default route; list only the prefixes that this box is to serve`,
      );
    }
    builder.add(parsed, { classOrder: routeClasses.indexOf(name), asPathLength, med });
  }
  return builder.build();
}

/**
 * Routes of a file, read again whenever it changes; one that is wrong then changes nothing, and is told as a reason.
 *
 * @throws CONFIG_INVALID where it is wrong at the start.
 */
export async function openFileSource({ path, log }: { path: string; log: Log }): Promise<RouteSource> {
  const first = await readRoutes(path);
  return {
    run: (listener, signal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      listener.routes(first);
      const onChange = (): void => {
        void readAgain(path, { listener, log });
      };
      watchFile(path, { interval: watchMs, persistent: false }, onChange);
      signal.addEventListener('abort', () => {
        unwatchFile(path, onChange);
        resolve();
      });
      return promise;
    },
  };
}

async function readAgain(
  path: string,
  { listener, log }: { listener: RouteListener; log: Log },
): Promise<void> {
  try {
    listener.routes(await readRoutes(path));
    listener.reasons([]);
  } catch (error) {
    log.warn({ err: error }, 'the routes file changed and cannot be used; the old routes stay');
    listener.reasons([`ROUTE_SOURCE_UNREADABLE: ${toCoded(error).detail ?? path}; the old routes stay`]);
  }
}
