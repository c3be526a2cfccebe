import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { SteeringMap } from '../../../common/contract/documents.ts';
import type { Address } from '../../../common/core/ip-address.ts';
import { openPrefixTable } from '../../../common/core/prefix-table.ts';
import { mergeRoutes, planRouteChange, type MergedMap } from '../../../steering/core/route-change.ts';
import { lengthOf, setOf } from '../../../steering/core/route-lists.ts';
import { address, appliance, mapOf, route, wireOf } from '../../support/steering-maps.ts';

/** What boxes announce, by number; 0: nothing. All but one are much the same, so that sets are of several boxes. */
const announcements = [
  [],
  ['10.0.0.0/8', '10.1.0.0/16', '2001:db8::/32'],
  ['10.0.0.0/8', '10.1.2.0/24', '2001:db8::/32', '2001:db8:1::/48'],
  ['10.1.0.0/16', '10.1.2.0/24', '192.0.2.1/32', '2001:db8:1::1/128'],
  ['0.0.0.0/0', '10.0.0.0/8', '::/0', '2001:db8:1::/48'],
  ['198.51.100.0/24'],
];
const asked = ['10.9.9.9', '10.1.9.9', '10.1.2.3', '192.0.2.1', '198.51.100.7', '203.0.113.1', '2001:db8::1', '2001:db8:1::1', '2001:db8:1::2', '3fff::1'].map(address); // prettier-ignore

type World = readonly (readonly [id: string, announcement: number])[];

/** A map of boxes, in this order, and its tables. */
function mapOfWorld(world: World): { body: SteeringMap; tables: ReadonlyMap<string, Uint8Array> } {
  const boxes = world.map(([id, announcement]) =>
    appliance(id, { routes: (announcements[announcement] ?? []).map((prefix) => route(prefix)) }),
  );
  return wireOf(mapOf(boxes));
}

function mergedOver(
  before: MergedMap | undefined,
  { body, tables }: ReturnType<typeof mapOfWorld>,
): MergedMap {
  const merged = mergeRoutes(planRouteChange(body, before), (name) => tables.get(name));
  if (!merged.ok) throw new TypeError(merged.detail);
  return { body, merged: merged.value };
}

/** Who reaches an address, by which length and keys. */
function reach({ body, merged: { routes } }: MergedMap, { family, words }: Address) {
  const { lists, ...tables } = routes;
  const table = openPrefixTable(tables[family]);
  const found = new Map<string, readonly [length: number, key: number | undefined]>();
  const take = (entry: number): void => {
    const set = setOf(entry);
    for (let at = set + 1; at < set + 2 * (lists.sets[set] ?? 0); at += 2) {
      const id = body.appliances[lists.sets[at] ?? -1]?.id ?? 'nobody';
      if (!found.has(id)) found.set(id, [lengthOf(entry), lists.keys[lists.sets[at + 1] ?? -1]]);
    }
  };
  take(table.valueOf(words));
  for (let list = table.besideOf(words); list !== 0; list = lists.lists[2 * list + 1] ?? 0)
    take(lists.lists[2 * list] ?? 0);
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
}

const toldBy = (map: MergedMap) => ({
  reach: asked.map((one) => reach(map, one)),
  defaults: map.merged.routes.defaultsDropped,
  sets: map.merged.routes.lists.sets.length,
});

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const anyStep = fc.record({
  kind: fc.constantFrom('announces', 'leaves', 'comes', 'swaps'),
  at: fc.nat(ids.length - 1),
  announcement: fc.nat(announcements.length - 1),
});

function stepped(
  world: World,
  { kind, at, announcement }: typeof anyStep extends fc.Arbitrary<infer T> ? T : never,
): World {
  const place = at % Math.max(1, world.length);
  const id = ids[at] ?? 'a';
  switch (kind) {
    case 'announces':
      return world.map((box, index) => (index === place ? [box[0], announcement] : box));
    case 'leaves':
      return world.filter((_, index) => index !== place);
    case 'comes':
      // Maps list boxes by their names, so whoever comes moves those behind.
      return world.some(([known]) => known === id) ? world : [[id, announcement], ...world];
    default:
      return world.toReversed();
  }
}

t.test(
  'map after map, merged over the one before, who reaches whom is as if all had been merged anew',
  (t) => {
    let over = 0;
    fc.assert(
      fc.property(fc.array(anyStep, { minLength: 1, maxLength: 12 }), (steps) => {
        let world: World = ids.slice(1).map((id, at) => [id, 1 + (at % 5)]);
        let held = mergedOver(undefined, mapOfWorld(world));
        for (const step of steps) {
          world = stepped(world, step);
          // Tables of the map before are still there.
          const next = mapOfWorld(world);
          const tables = new Map([
            ...mapOfWorld(announcements.map((_, at) => [`${at}`, at])).tables,
            ...next.tables,
          ]);
          if (planRouteChange(next.body, held).over !== undefined) over++;
          held = mergedOver(held, { body: next.body, tables });
          assert.deepStrictEqual(toldBy(held), toldBy(mergedOver(undefined, next)));
        }
      }),
      { numRuns: 200 },
    );
    t.ok(over > 200, `${over} maps were merged over another`);
    t.end();
  },
);

t.test('where a map names two boxes alike, all is merged anew', (t) => {
  const once = mapOfWorld([['a', 1], ['b', 2], ['c', 2]]); // prettier-ignore
  const twice = mapOfWorld([['a', 1], ['a', 3], ['b', 2], ['c', 2]]); // prettier-ignore
  const held = mergedOver(undefined, once);
  t.equal(planRouteChange(once.body, held).over, held);
  t.equal(planRouteChange(twice.body, held).over, undefined);
  t.equal(planRouteChange(once.body, mergedOver(undefined, twice)).over, undefined);
  t.end();
});
