import { widthOf } from '../../common/core/ip-address.ts';
import type { PrefixIntervals } from '../../common/core/prefix-layout.ts';
import { PrefixTableBuilder } from '../../common/core/prefix-table-builder.ts';
import { walkRows, type FamilyRoutes, type RouteTable } from '../../common/core/route-table.ts';

/** The best route of each prefix, and the site that it leads to. */
interface SiteRoutes {
  readonly routes: FamilyRoutes;
  readonly sites: Uint32Array;
}

/** Where addresses lead: to which of the tables, from 1; 0 where to none. */
export type SiteIntervals = Readonly<Record<4 | 6, PrefixIntervals>>;

/**
 * Merges the routes of sites, which are told one after the other: the longest prefix counts, of one prefix the better route by class, path
 * and MED, of equals the first. What it gives is in shared memory. Linear time for each.
 */
export async function mergeSites(tables: AsyncIterable<RouteTable>): Promise<SiteIntervals> {
  const merged = { 4: noRoutes(4), 6: noRoutes(6) };
  let index = 0;
  for await (const table of tables) {
    for (const family of [4, 6] as const) merged[family] = merge(merged[family], table[family], index);
    index++;
  }
  return { 4: intervalsOf(merged[4]), 6: intervalsOf(merged[6]) };
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

/** Its values are sites, from 1. */
function intervalsOf({ routes, sites }: SiteRoutes): PrefixIntervals {
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
  return builder.finish();
}
