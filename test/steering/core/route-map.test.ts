import fc from 'fast-check';
import t from 'tap';
import { networkOf, type Address } from '../../../common/core/ip-address.ts';
import { openPrefixTable } from '../../../common/core/prefix-table.ts';
import { encodeRouteTable, openRouteBytes } from '../../../common/core/route-table-codec.ts';
import { packRouteKeys } from '../../../common/core/route-table.ts';
import { lengthOf, setOf } from '../../../steering/core/route-lists.ts';
import { buildRouteMap, type BuiltRoutes, type RouteMap } from '../../../steering/core/route-map.ts';
import type { MergedBefore, OwnedTable } from '../../../steering/core/route-merge.ts';
import { addressArb, routesArb, tableOf, type TestRoute } from '../../support/route-tables.ts';

const limits = { routesMax: 1000 };

function owned(routes: readonly TestRoute[], owners: readonly number[]): OwnedTable {
  const opened = openRouteBytes(encodeRouteTable(tableOf(routes)), limits);
  if (!opened.ok) throw new TypeError(opened.detail);
  return { routes: opened.value, owners };
}

function built(tables: readonly OwnedTable[], before?: MergedBefore): BuiltRoutes {
  const made = buildRouteMap(tables, before);
  if (!made.ok) throw new TypeError(made.detail);
  return made.value;
}

function mapOf(announced: readonly (readonly TestRoute[])[], owners?: readonly number[][]): RouteMap {
  return built(announced.map((routes, at) => owned(routes, owners?.[at] ?? [at]))).routes;
}

/** Every appliance that reaches an address, with its prefix and keys, as the lists say. */
function reach({ lists, ...tables }: RouteMap, { family, words }: Address) {
  const table = openPrefixTable(tables[family]);
  const found: Partial<Record<string, [number, number]>> = {};
  const take = (entry: number): void => {
    const set = setOf(entry);
    for (let member = 0; member < (lists.sets[set] ?? 0); member++) {
      const [appliance = 0, route = 0] = lists.sets.subarray(set + 1 + 2 * member);
      found[appliance] ??= [lengthOf(entry), lists.keys[route] ?? 0];
    }
  };
  take(table.valueOf(words));
  for (let list = table.besideOf(words); list !== 0; list = lists.lists[2 * list + 1] ?? 0)
    take(lists.lists[2 * list] ?? 0);
  return found;
}

/** The same by looking at every route: the longest prefix of each, and of one prefix the better keys. */
function naive(
  announced: readonly (readonly TestRoute[])[],
  address: Address,
): Record<string, [number, number]> {
  const found: Record<string, [number, number]> = {};
  for (const [appliance, routes] of announced.entries()) {
    for (const [prefix, keys] of routes) {
      const { length } = prefix;
      if (prefix.address.family !== address.family || length === 0) continue;
      if (networkOf(address, length).words.some((word, at) => word !== prefix.address.words[at])) continue;
      const [longest = 0, best = Infinity] = found[appliance] ?? [];
      const key = packRouteKeys(keys);
      if (length > longest || (length === longest && key < best)) found[appliance] = [length, key];
    }
  }
  return found;
}

t.test('lists hold what a search through all routes of all appliances finds', (t) => {
  fc.assert(
    fc.property(
      fc.array(routesArb, { maxLength: 6 }),
      fc.array(fc.oneof(addressArb(4), addressArb(6)), { maxLength: 12 }),
      (announced, random) => {
        const map = mapOf(announced);
        const firsts = announced.flat().map(([prefix]) => prefix.address);
        for (const address of [...random, ...firsts])
          t.strictSame(reach(map, address), naive(announced, address));
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

t.test('appliances with one table are found as if each had its own', (t) => {
  fc.assert(
    fc.property(routesArb, routesArb, addressArb(4), (shared, own, address) => {
      const map = mapOf([shared, own], [[0, 2, 5], [1]]);
      t.strictSame(reach(map, address), reach(mapOf([shared, own, shared, [], [], shared]), address));
    }),
  );
  t.end();
});

/** What a box announces, by its name, from map to map. */
const worldArb = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), routesArb, { maxKeys: 6 });

t.test(
  'merged over what was before, only by the tables of those who changed, lists are as merged anew',
  (t) => {
    fc.assert(
      fc.property(
        fc.array(worldArb, { minLength: 2, maxLength: 5 }),
        fc.array(fc.oneof(addressArb(4), addressArb(6)), { maxLength: 8 }),
        (worlds, random) => {
          let names: readonly string[] = [];
          let held: BuiltRoutes | undefined;
          worlds.forEach((drawn, step) => {
            // Half of the boxes stay as they were.
            const before = worlds[step - 1] ?? {};
            const world = Object.fromEntries(
              Object.entries(drawn).map(([name, routes]) => [
                name,
                name < 'd' ? (before[name] ?? routes) : routes,
              ]),
            );
            worlds[step] = world;
            const now = Object.keys(world).sort();
            const hasChanged = (name: string): boolean => before[name] !== world[name];
            const come = now.flatMap((name, at) =>
              hasChanged(name) ? [owned(world[name] ?? [], [at])] : [],
            );
            const gone = now.flatMap((name, at) => {
              const routes = before[name];
              return routes !== undefined && hasChanged(name) ? [owned(routes, [at])] : [];
            });
            const indexes = Int32Array.from(names, (name) => now.indexOf(name));
            held = built(
              come,
              held && {
                rows: held.rows,
                lists: held.routes.lists,
                gone,
                indexes: indexes.length === 0 ? undefined : indexes,
              },
            );
            names = now;
            const announced = now.map((name) => world[name] ?? []);
            const firsts = announced.flat().map(([prefix]) => prefix.address);
            for (const address of [...random, ...firsts])
              t.strictSame(reach(held.routes, address), naive(announced, address));
            t.equal(held.routes.defaultsDropped, mapOf(announced).defaultsDropped);
            t.equal(
              held.routes.lists.sets.length,
              mapOf(announced).lists.sets.length,
              'nothing of before is left over',
            );
          });
        },
      ),
      { numRuns: 200 },
    );
    t.end();
  },
);

t.test('default routes are dropped and counted, and equal lists are kept once', (t) => {
  const keys = { classOrder: 0, asPathLength: 1, med: 0 };
  const at = (word: number, length: number): TestRoute => [
    { address: { family: 4, words: [word] }, length },
    keys,
  ];
  const blocks = Array.from({ length: 100 }, (_, block) => at((block + 1) * 2 ** 24, 24));
  const map = mapOf([
    [at(0, 0), ...blocks],
    [at(0, 0), ...blocks],
  ]);
  t.equal(map.defaultsDropped, 2);
  t.equal(map.lists.lists.length, 2, 'no list is around another');
  t.equal(map.lists.sets.length, 4 + 8, 'the empty set, and one for all blocks');
  const longer = mapOf([[at(2 ** 24, 24), at(2 ** 25, 8), at(3 * 2 ** 24, 16)]]);
  t.equal(longer.lists.sets.length, 4 + 4, 'and for prefixes of all lengths');
  t.end();
});

t.test('a table that is at fault is told', (t) => {
  const bytes = encodeRouteTable(tableOf([[{ address: { family: 4, words: [2 ** 24] }, length: 8 }, { classOrder: 0, asPathLength: 0, med: 0 }]])); // prettier-ignore
  const damaged = Uint8Array.from(bytes);
  damaged[damaged.length - 2] = 4;
  const opened = openRouteBytes(damaged, limits);
  t.match(opened.ok && buildRouteMap([{ routes: opened.value, owners: [0] }]), {
    code: 'ROUTE_TABLE_INVALID',
  });
  t.end();
});

t.test('routes whose sets do not fit are refused with what to do about them', (t) => {
  const owners = Array.from({ length: 1000 }, (_, at) => at);
  // Each prefix has another MED: a set of all thousand for each.
  const routes = Array.from({ length: 17_000 }, (_, at): TestRoute => {
    const address = { family: 4 as const, words: [0x0a000000 + at * 256] };
    return [
      { address, length: 24 },
      { classOrder: 0, asPathLength: 1, med: at },
    ];
  });
  const opened = openRouteBytes(encodeRouteTable(tableOf(routes)), { routesMax: routes.length });
  if (!opened.ok) throw new TypeError(opened.detail);
  const refused = buildRouteMap([{ routes: opened.value, owners }]);
  t.match(refused, { ok: false, code: 'ROUTES_TOO_MANY', detail: /fewer different MEDs/ });
  t.ok(buildRouteMap([{ routes: opened.value, owners: owners.slice(0, 500) }]).ok, 'half as many fit');
  t.end();
});
