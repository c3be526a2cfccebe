import { setImmediate } from 'node:timers/promises';

import { parseAddress, widthOf } from '../common/core/ip-address.ts';
import { PrefixTableBuilder } from '../common/core/prefix-table-builder.ts';
import { openPrefixTable, type PrefixTable } from '../common/core/prefix-table.ts';
import { walkRows, type FamilyRoutes, type RouteTable } from '../common/core/route-table.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Log } from '../common/runtime/log.ts';

export interface ClientSitesOptions {
  readonly nodes: () => readonly {
    readonly id: string;
    readonly role: 'appliance' | 'origin';
    readonly site: string;
  }[];
  /** The name of the table that steering goes by; undefined where a node has no routes. */
  readonly used: (nodeId: string) => { readonly name: string } | undefined;
  readonly table: (name: string) => Promise<{ readonly table: RouteTable }>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Log;
}

/** Where viewers are. */
export interface ClientSites {
  /** The site of a viewer, undefined where no route tells; as of the routes when they were last looked at. */
  readonly siteOf: (client: string) => string | undefined;
  /** Looks whether routes have changed, and makes the tables anew if so. Errors: those of `table`. */
  readonly refresh: () => Promise<void>;
}

/** How often it is looked whether routes have changed, while viewers come: where a viewer is changes far less than routes do. */
const lookEveryMs = 600_000;
const families = [4, 6] as const;

/** The best route of each prefix, and the site that it leads to. */
interface SiteRoutes {
  readonly routes: FamilyRoutes;
  readonly sites: Uint32Array;
}

/**
 * Says at whose site a viewer is, whatever that site's boxes hold: where the longest prefix leads that a box announces; of equals by
 * class, path and MED, as steering ranks. While tables are made anew, the earlier ones answer.
 */
export function createClientSites(options: ClientSitesOptions): ClientSites {
  const { nodes, used, clock, log } = options;
  let known = '';
  let names: readonly string[] = [];
  let tables = new Map<4 | 6, PrefixTable>();
  let lookAtMs = -Infinity;
  const refresh = async (): Promise<void> => {
    const owned = new Map<string, { site: string; name: string }>();
    for (const { id, role, site } of nodes()) {
      const name = role === 'appliance' ? used(id)?.name : undefined;
      if (name !== undefined) owned.set(`${site} ${name}`, { site, name });
    }
    // Equal routes are those of the first site by name.
    const pairs = [...owned.keys()].sort();
    if (pairs.join('\n') === known) return;
    const sites = pairs.map((pair) => owned.get(pair)?.site ?? '');
    const made = new Map<4 | 6, PrefixTable>();
    for (const family of families) {
      let merged = noRoutes(family);
      for (const [index, pair] of pairs.entries()) {
        const { table } = await options.table(owned.get(pair)?.name ?? '');
        merged = merge(merged, table[family], index);
        // A table may have a million rows: whoever else waits has a turn between two.
        await setImmediate();
      }
      made.set(family, tableOf(merged));
    }
    known = pairs.join('\n');
    [names, tables] = [sites, made];
  };
  const look = (): void => {
    const nowMs = clock.monotonicMs();
    if (nowMs < lookAtMs) return;
    lookAtMs = nowMs + lookEveryMs;
    refresh().catch((error: unknown) => {
      log.warn({ err: error }, 'where viewers are cannot be told by new routes yet');
    });
  };
  return {
    siteOf: (client) => {
      look();
      const address = parseAddress(client);
      const table = address && tables.get(address.family);
      return table && names[table.valueOf(address.words) - 1];
    },
    refresh,
  };
}

function noRoutes(family: 4 | 6): SiteRoutes {
  const routes = { family, words: new Uint32Array(), lengths: new Uint8Array(), keys: new Float64Array() };
  return { routes, sites: new Uint32Array() };
}

/** Both together; of one prefix the better route, those that were there before if they are equal. */
function merge({ routes, sites }: SiteRoutes, more: FamilyRoutes, site: number): SiteRoutes {
  const { family } = routes;
  const wordCount = widthOf(family) / 32;
  const lengthMax = routes.lengths.length + more.lengths.length;
  const words = new Uint32Array(lengthMax * wordCount);
  const lengths = new Uint8Array(lengthMax);
  const keys = new Float64Array(lengthMax);
  const owners = new Uint32Array(lengthMax);
  let count = 0;
  walkRows(routes, more, (before, after) => {
    const isAfter = before < 0 || (after >= 0 && (more.keys[after] ?? 0) < (routes.keys[before] ?? 0));
    const [from, row] = isAfter ? [more, after] : [routes, before];
    const start = row * wordCount;
    words.set(from.words.subarray(start, start + wordCount), count * wordCount);
    lengths[count] = from.lengths[row] ?? 0;
    keys[count] = from.keys[row] ?? 0;
    owners[count] = isAfter ? site : (sites[before] ?? 0);
    count++;
    return true;
  });
  return {
    routes: {
      ...{ family, words: words.subarray(0, count * wordCount) },
      ...{ lengths: lengths.subarray(0, count), keys: keys.subarray(0, count) },
    },
    sites: owners.subarray(0, count),
  };
}

/** A table whose values are sites, from 1. */
function tableOf({ routes, sites }: SiteRoutes): PrefixTable {
  const { family, words, lengths } = routes;
  const wordCount = widthOf(family) / 32;
  const builder = new PrefixTableBuilder(family, lengths.length + 1);
  for (let row = 0; row < lengths.length; row++) {
    const length = lengths[row] ?? 0;
    // A default route says nothing of where anybody is.
    if (length === 0) continue;
    const address = words.subarray(row * wordCount, (row + 1) * wordCount);
    builder.enter(address);
    builder.open(address, length, (sites[row] ?? 0) + 1);
  }
  return openPrefixTable(builder.finish());
}
