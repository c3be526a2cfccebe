import fc from 'fast-check';
import t from 'tap';
import { parsePrefix, type Prefix } from '../../../common/core/ip-address.ts';
import { findDefaultParts, reachedShare } from '../../../control-plane/core/route-cover.ts';
import { prefixAt } from '../../../control-plane/core/route-rows.ts';
import { tableOf } from '../../support/route-tables.ts';

const keys = { classOrder: 0, asPathLength: 0, med: 0 };
const routesOf = (family: 4 | 6, prefixes: readonly Prefix[]) =>
  tableOf(prefixes.map((prefix) => [prefix, keys]))[family];
const prefixesOf = (...texts: string[]): Prefix[] => texts.flatMap((text) => parsePrefix(text) ?? []);
/** All prefixes of a length. */
const allOf = (family: 4 | 6, length: number): Prefix[] =>
  Array.from({ length: 2 ** length }, (_, at) => {
    const rest = family === 4 ? [] : [0, 0, 0];
    return { address: { family, words: [(at * 2 ** (32 - length)) >>> 0, ...rest] }, length };
  });

t.test('the share of addresses is that of the blocks that any prefix reaches', (t) => {
  const blockBits = 9;
  const prefix = (family: 4 | 6) =>
    fc
      .tuple(fc.nat(2 ** blockBits - 1), fc.integer({ min: 0, max: blockBits }))
      .map(([at, length]) => ({ at: at >>> (blockBits - length) << (blockBits - length), length, family })); // prettier-ignore
  for (const family of [4, 6] as const) {
    fc.assert(
      fc.property(fc.array(prefix(family), { maxLength: 12 }), (some) => {
        const blocks = new Uint8Array(2 ** blockBits);
        for (const { at, length } of some) blocks.fill(1, at, at + 2 ** (blockBits - length));
        // 2000::/3 is the second eighth of all.
        const [from, to] = family === 4 ? [0, blocks.length] : [blocks.length / 8, blocks.length / 4];
        const reached = blocks.slice(from, to).reduce((sum, one) => sum + one, 0);
        const prefixes = some.map(({ at, length }): Prefix => {
          const words = [(at * 2 ** (32 - blockBits)) >>> 0, ...(family === 4 ? [] : [0, 0, 0])];
          return { address: { family, words }, length };
        });
        return reachedShare(routesOf(family, prefixes)) === reached / (to - from);
      }),
    );
  }
  t.end();
});

t.test('a default route in parts is found, however small they are', (t) => {
  const halves = { 4: ['0.0.0.0/1', '128.0.0.0/1'], 6: ['::/1', '8000::/1'] } as const;
  for (const family of [4, 6] as const) {
    const routes = routesOf(family, prefixesOf(...halves[family]));
    const { huge, reachesAll } = findDefaultParts(routes);
    t.strictSame(
      huge.map((row) => prefixAt(routes, row)),
      halves[family],
    );
    t.ok(reachesAll);
    const small = allOf(family, family === 4 ? 12 : 13);
    t.match(findDefaultParts(routesOf(family, small)), { huge: [], reachesAll: true });
    // With a hole, as somebody's own network is left out.
    t.match(findDefaultParts(routesOf(family, small.slice(0, -300))), { reachesAll: true });
  }
  t.match(findDefaultParts(routesOf(6, prefixesOf('2000::/3'))), { huge: [0], reachesAll: true });
  t.end();
});

t.test('what networks have is none', (t) => {
  const largest = routesOf(4, prefixesOf('17.0.0.0/8', '17.0.0.0/9', '203.0.113.0/24'));
  t.match(findDefaultParts(largest), { huge: [], reachesAll: false });
  t.match(findDefaultParts(routesOf(6, prefixesOf('2a00::/12', '2001:db8::/32'))), {
    huge: [],
    reachesAll: false,
  });
  // A full table reaches 71 % of all addresses.
  t.match(findDefaultParts(routesOf(4, allOf(4, 12).slice(0, 0.71 * 2 ** 12))), { reachesAll: false });
  t.match(findDefaultParts(routesOf(4, [])), { huge: [], reachesAll: false });
  t.end();
});
