import { unwatchFile, watchFile } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

import { Route } from '../../common/contract/documents.ts';
import { Type } from '../../common/contract/type.ts';
import { parsePrefix } from '../../common/core/ip-address.ts';
import { createRouteTableBuilder, routeClasses, type RouteTable } from '../../common/core/route-table.ts';
import { coded, isCoded, systemCode, toCoded } from '../../common/runtime/errors.ts';
import type { Log } from '../../common/runtime/log.ts';
import { parseJsonAs } from '../../common/runtime/parse.ts';
import type { RouteListener, RouteSource } from './route-source.ts';

const Routes = Type.Array(Route);
/** A list is parsed whole. Who has more routes learns them by BGP. */
const routesMax = 100_000;
const fileBytesMax = 64 * 1024 * 1024;
const watchMs = 500;

/** Routes that were read, and what is to be said of them, as reasons of a heartbeat. */
interface ListedRoutes {
  readonly table: RouteTable;
  readonly notes: readonly string[];
}

/**
 * Reads listed routes: JSON, each `{"prefix", "asPathLength", "med"?, "class"}`. Of more than 100,000 the first are taken.
 *
 * @throws CONFIG_INVALID naming the file, the entry and what is wrong with it.
 */
export async function readRoutes(path: string): Promise<ListedRoutes> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > fileBytesMax)
      throw coded('CONFIG_INVALID', `it has ${size} bytes, and ${fileBytesMax} are the most`);
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const why = isCoded(cause) ? cause.detail : systemCode(cause);
    throw coded('CONFIG_INVALID', {
      detail: `the routes file ${path} cannot be read: ${why ?? 'no reason known'}`,
      cause,
    });
  }
  const routes = parseJsonAs(Routes, text, { what: `the routes file ${path}`, code: 'CONFIG_INVALID' });
  const builder = createRouteTableBuilder();
  for (const [index, { prefix, class: name, asPathLength, med = 0 }] of routes
    .slice(0, routesMax)
    .entries()) {
    const parsed = parsePrefix(prefix);
    const where = `the routes file ${path}: entry ${index + 1}, ${prefix}`;
    if (parsed === undefined) {
      throw coded(
        'CONFIG_INVALID',
        `${where}, is not a prefix such as 192.0.2.0/24 (are bits behind its length set?)`,
      );
    }
    if (parsed.length === 0) {
      throw coded(
        'CONFIG_INVALID',
        `${where}, is a default route; list only the prefixes that this box is to serve`,
      );
    }
    builder.add(parsed, { classOrder: routeClasses.indexOf(name), asPathLength, med });
  }
  const capped = `ROUTES_CAPPED: the routes file has ${routes.length} routes, of which ${routesMax} are told`;
  return { table: builder.build(), notes: routes.length > routesMax ? [capped] : [] };
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
      listener.routes(first.table);
      listener.reasons(first.notes);
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
    const { table, notes } = await readRoutes(path);
    listener.routes(table);
    listener.reasons(notes);
  } catch (error) {
    log.warn({ err: error }, 'the routes file changed and cannot be used; the old routes stay');
    listener.reasons([`ROUTE_SOURCE_UNREADABLE: ${toCoded(error).detail ?? path}; the old routes stay`]);
  }
}
