import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { SteeringMap } from '../../../common/contract/documents.ts';
import { decodeRouteTable } from '../../../common/core/route-table-codec.ts';
import { nameRouteTable } from '../../../common/core/route-table-delta.ts';
import { valueOf } from '../../../common/runtime/errors.ts';
import { openTableStore } from '../../../steering/map/table-store.ts';
import { pick, seededRandom } from '../../support/seeded.ts';

/** One route in so many is another one after a change. */
const routesToOneChange = 1000;

/** What the tables of a map take on a disk, and what each that is past takes after so many changes of boxes' routes. */
export async function measureTables(
  { appliances, holdings }: SteeringMap,
  { from, to, changes }: { from: string; to: string; changes: number },
): Promise<{ wholeBytes: number; changeBytes: number }> {
  const random = seededRandom(12);
  const [source, store] = [await openTableStore(from, Infinity), await openTableStore(to, Infinity)];
  const names = appliances.map(({ routeTable }) => routeTable?.name);
  for (const name of new Set([...names, holdings?.name])) {
    const bytes = name === undefined ? undefined : await source.read(name);
    if (name !== undefined && bytes !== undefined) await store.write(name, bytes);
  }
  const wholeBytes = sumOf(await diskSizes(to, () => true));
  for (let change = 0; change < changes; change++) {
    const box = pick(random, names.length);
    const name = names[box];
    const bytes = name === undefined ? undefined : await store.read(name);
    if (name === undefined || bytes === undefined) continue;
    const table = valueOf(decodeRouteTable(bytes, { routesMax: 2_000_000 }));
    for (const { keys } of [table[4], table[6]]) {
      for (let left = Math.ceil(keys.length / routesToOneChange); left > 0; left--)
        keys[pick(random, keys.length)]! += 1;
    }
    const next = nameRouteTable(table);
    names[box] = next.name;
    await store.write(next.name, next.bytes);
    // Another box may still have it.
    if (!names.includes(name)) await store.supersede(name, next.name);
  }
  const past = await diskSizes(to, isDifference);
  return { wholeBytes, changeBytes: sumOf(past) / past.length };
}

/** Of a table that is past: its name, that of the one that came for it, and the ending. */
function isDifference(file: string): boolean {
  return file.split('.').length === 3;
}

async function diskSizes(folder: string, isWanted: (file: string) => boolean): Promise<number[]> {
  const files = (await readdir(folder)).filter(isWanted);
  const found = await Promise.all(files.map((file) => stat(join(folder, file))));
  return found.map(({ blocks }) => 512 * blocks);
}

function sumOf(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}
