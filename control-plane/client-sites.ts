import { parseAddress } from '../common/core/ip-address.ts';
import { openPrefixTable, type PrefixTable } from '../common/core/prefix-table.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Log } from '../common/runtime/log.ts';
import type { SiteIntervals } from './core/site-routes.ts';

export interface ClientSitesOptions {
  readonly nodes: () => readonly {
    readonly id: string;
    readonly role: 'appliance' | 'origin';
    readonly site: string;
  }[];
  /** The name of the table that steering goes by; undefined where a node has no routes. */
  readonly used: (nodeId: string) => { readonly name: string } | undefined;
  /** Merges tables, the first of equals first. */
  readonly merge: (names: readonly string[]) => Promise<SiteIntervals>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Log;
}

/** Where viewers are. */
export interface ClientSites {
  /** The site of a viewer, undefined where no route tells; as of the routes when they were last looked at. */
  readonly siteOf: (client: string) => string | undefined;
  /** Looks whether routes have changed, and makes the tables anew if so. Errors: those of `merge`. */
  readonly refresh: () => Promise<void>;
}

/** How often it is looked whether routes have changed, while viewers come: where a viewer is changes far less than routes do. */
const lookEveryMs = 600_000;

/**
 * Says at whose site a viewer is, whatever that site's boxes hold: where the longest prefix leads that a box announces; of equals by
 * class, path and MED, as steering ranks. While tables are made anew, the earlier ones answer.
 */
export function createClientSites(options: ClientSitesOptions): ClientSites {
  const { nodes, used, clock, log } = options;
  let known = '';
  let names: readonly string[] = [];
  let tables: Readonly<Record<4 | 6, PrefixTable>> | undefined;
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
    const merged = await options.merge(pairs.map((pair) => owned.get(pair)?.name ?? ''));
    known = pairs.join('\n');
    [names, tables] = [sites, { 4: openPrefixTable(merged[4]), 6: openPrefixTable(merged[6]) }];
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
      const table = address && tables?.[address.family];
      return table && names[table.valueOf(address.words) - 1];
    },
    refresh,
  };
}
