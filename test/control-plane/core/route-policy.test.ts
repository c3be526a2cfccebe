import fc from 'fast-check';
import t from 'tap';

import { formatPrefix, networkOf, type Prefix } from '../../../common/core/ip-address.ts';
import { countRoutes } from '../../../common/core/route-table.ts';
import { longestRow, prefixAt, rowsAbout, listRoutes } from '../../../control-plane/core/route-rows.ts';
import { admitRoutes, type RoutePolicy } from '../../../control-plane/core/route-policy.ts';
import { addressArb, prefixArb, routesArb, tableOf } from '../../support/route-tables.ts';

const textOf = ({ address, length }: Prefix): string => formatPrefix(address, length);
const holds = (outer: Prefix, inner: Prefix): boolean =>
  outer.address.family === inner.address.family &&
  outer.length <= inner.length &&
  textOf({ address: networkOf(inner.address, outer.length), length: outer.length }) === textOf(outer);

const boundArb = fc.oneof(prefixArb(4), prefixArb(6)).chain(
  (prefix) =>
  fc.integer({ min: prefix.length, max: prefix.address.family === 4 ? 32 : 128 }).map((maxLength) => ({ prefix, maxLength })), // prettier-ignore
);

t.test('what is taken is what the rules say, prefix by prefix', async () => {
  fc.assert(
    fc.property(
      routesArb,
      fc.option(fc.array(boundArb, { maxLength: 12 }), { nil: undefined }),
      (routes, bounds) => {
        const policy: RoutePolicy = {
          allowed: bounds?.map(({ prefix, maxLength }) => ({ prefix: textOf(prefix), maxLength })),
          routesMax: 1_000_000,
        };
        const expected = new Map<string, string>();
        for (const [prefix] of routes) {
          const around = bounds?.filter((bound) => holds(bound.prefix, prefix));
          const isLong = around?.every(({ maxLength }) => prefix.length > maxLength) === true;
          const why = prefix.length === 0 ? 'default' : around?.length === 0 ? 'foreign' : isLong ? 'too-specific' : 'taken'; // prettier-ignore
          expected.set(textOf(prefix), why);
        }
        const table = tableOf(routes);
        const { table: used, refused } = admitRoutes(table, policy);
        const taken = new Set(listRoutes(used).map(({ prefix }) => prefix));
        const counts = new Map(refused.map(({ refusal, count }) => [refusal as string, count]));
        for (const [prefix, why] of expected) if (taken.has(prefix) !== (why === 'taken')) return false;
        const so = [...expected.values()];
        return ['default', 'foreign', 'too-specific'].every(
          (why) => (counts.get(why) ?? 0) === so.filter((one) => one === why).length,
        );
      },
    ),
    { numRuns: 500 },
  );
});

t.test('above the limit the shortest prefixes stay, whatever the order in which they came', async () => {
  const half = ({ length, address }: Prefix): number => (address.family === 4 ? 2 * length : length);
  fc.assert(
    fc.property(routesArb, fc.nat(20), (routes, routesMax) => {
      const real = routes.filter(([{ length }]) => length > 0);
      const table = tableOf(real);
      const { table: used, refused } = admitRoutes(table, { allowed: undefined, routesMax });
      const count = countRoutes(table);
      if (countRoutes(used) !== Math.min(count, routesMax)) return false;
      if ((refused[0]?.count ?? 0) !== Math.max(0, count - routesMax)) return false;
      const taken = new Set(listRoutes(used).map(({ prefix }) => prefix));
      const longest = Math.max(-1, ...real.filter(([p]) => taken.has(textOf(p))).map(([p]) => half(p)));
      return real.every(([prefix]) => taken.has(textOf(prefix)) || half(prefix) >= longest);
    }),
  );
});

t.test('a table of which nothing is refused is used as it is', async (t) => {
  const table = tableOf([[{ address: { family: 4, words: [0x0a000000] }, length: 8 }, { classOrder: 0, asPathLength: 1, med: 0 }]]); // prettier-ignore
  t.equal(admitRoutes(table, { allowed: undefined, routesMax: 1 }).table, table);
});

t.test('lookups find the longest prefix, those around and those inside', async () => {
  fc.assert(
    fc.property(
      routesArb,
      fc.oneof(addressArb(4), addressArb(6)),
      fc.oneof(prefixArb(4), prefixArb(6)),
      (routes, address, asked) => {
        const table = tableOf(routes);
        const host: Prefix = { address, length: address.family === 4 ? 32 : 128 };
        const holding = routes.map(([prefix]) => prefix).filter((prefix) => holds(prefix, host));
        const longest = holding.sort((a, b) => b.length - a.length)[0];
        const row = longestRow(table, address);
        if ((row < 0 ? undefined : prefixAt(table[address.family], row)) !== (longest && textOf(longest)))
          return false;
        const about = new Set(routes.map(([prefix]) => prefix).filter((prefix) => holds(prefix, asked) || holds(asked, prefix)).map(textOf)); // prettier-ignore
        const found = rowsAbout(table, asked, 1000).map((at) => prefixAt(table[asked.address.family], at));
        return found.length === about.size && found.every((prefix) => about.has(prefix));
      },
    ),
    { numRuns: 500 },
  );
});
