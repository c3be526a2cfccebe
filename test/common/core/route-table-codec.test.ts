import fc from 'fast-check';
import t from 'tap';
import { parsePrefix } from '../../../common/core/ip-address.ts';
import {
  decodeRouteTable,
  encodeRouteTable,
  nameOfRouteBytes,
} from '../../../common/core/route-table-codec.ts';
import {
  comparePrefixes,
  countRoutes,
  packRouteKeys,
  unpackRouteKeys,
  type RouteTable,
} from '../../../common/core/route-table.ts';
import { routesArb, tableOf, type TestRoute } from '../../support/route-tables.ts';

const limits = { routesMax: 1000 };
const byHand = (texts: Record<string, number>): TestRoute[] =>
  Object.entries(texts).map(([text, med]) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new TypeError(text);
    return [prefix, { classOrder: 0, asPathLength: 1, med }];
  });

const refusal = (bytes: Uint8Array, routesMax = 1000): string => {
  const decoded = decodeRouteTable(bytes, { routesMax });
  return decoded.ok ? '' : `${decoded.code}: ${decoded.detail}`;
};

t.test('the built table is sorted, without doubles, and keeps the better of two', (t) => {
  fc.assert(
    fc.property(routesArb, (routes) => {
      const table = tableOf(routes);
      const wanted = new Map<string, number>();
      for (const [prefix, keys] of routes) {
        const name = JSON.stringify(prefix);
        wanted.set(name, Math.min(wanted.get(name) ?? Infinity, packRouteKeys(keys)));
      }
      for (const family of [4, 6] as const) {
        const { words, lengths, keys } = table[family];
        for (let row = 0; row < lengths.length; row++) {
          if (row > 0 && comparePrefixes([table[family], row - 1], [table[family], row]) >= 0) return false;
          const size = family === 4 ? 1 : 4;
          const address = { family, words: [...words.subarray(row * size, (row + 1) * size)] };
          if (wanted.get(JSON.stringify({ address, length: lengths[row] })) !== keys[row]) return false;
        }
      }
      return countRoutes(table) === wanted.size;
    }),
  );
  t.end();
});

t.test('what is encoded decodes to the same, and equal tables have equal bytes', (t) => {
  fc.assert(
    fc.property(routesArb, (routes) => {
      const table = tableOf(routes);
      const bytes = encodeRouteTable(table);
      const decoded = decodeRouteTable(bytes, limits);
      t.strictSame(decoded, { ok: true, value: table });
      return Buffer.compare(bytes, encodeRouteTable(tableOf(routes.toReversed()))) === 0;
    }),
  );
  t.end();
});

t.test('keys are packed so that the better is the smaller', (t) => {
  const ordered = [
    { classOrder: 0, asPathLength: 3, med: 9 },
    { classOrder: 0, asPathLength: 3, med: 0xffffffff },
    { classOrder: 0, asPathLength: 255, med: 0 },
    { classOrder: 1, asPathLength: 0, med: 0 },
    { classOrder: 2, asPathLength: 255, med: 0xffffffff },
  ];
  const packed = ordered.map(packRouteKeys);
  t.strictSame(packed, packed.toSorted((a, b) => a - b)); // prettier-ignore
  t.strictSame(packed.map(unpackRouteKeys), ordered);
  t.end();
});

t.test('whatever the bytes, decoding refuses them or they are canonical', (t) => {
  const isCanonical = (bytes: Uint8Array): boolean => {
    const decoded = decodeRouteTable(bytes, limits);
    if (!decoded.ok) return decoded.code === 'ROUTE_TABLE_INVALID' && decoded.detail.length > 0;
    return Buffer.compare(encodeRouteTable(decoded.value), bytes) === 0;
  };
  const damages = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(routesArb, damages, fc.nat(8), (routes, flips, cut) => {
      const bytes = encodeRouteTable(tableOf(routes));
      for (const [at, bits] of flips) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ bits;
      return isCanonical(bytes) && isCanonical(bytes.subarray(0, bytes.length - cut));
    }),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), isCanonical));
  t.end();
});

t.test('each fault is told', (t) => {
  const table = tableOf(byHand({ '10.0.0.0/8': 1, '10.1.0.0/16': 2, '10.1.0.0/24': 1, '2001:db8::/32': 1 }));
  const good = encodeRouteTable(table);
  // Head of 24 bytes, two keys of 6, then IPv4: three tokens, two suffixes (a byte 10, a byte 1), three lengths, three keys.
  const damaged = (at: number, byte: number): string => {
    const bytes = Uint8Array.from(good);
    bytes[at] = byte;
    return refusal(bytes);
  };
  t.equal(refusal(good), '');
  t.match(refusal(good.subarray(0, 20)), /shorter than its head/);
  t.match(refusal(good.subarray(0, -1)), /size is not/);
  t.match(refusal(good, 3), /4 routes are more than the 3 allowed/);
  t.match(damaged(0, 0x4d), /another kind/);
  t.match(damaged(8, 200), /size is not/);
  t.match(damaged(24, 3), /class that there is not/);
  t.match(damaged(26, 9), /keys are not in order/);
  t.match(damaged(36, 0x4f), /malformed or not in order/);
  t.match(damaged(39, 0), /malformed or not in order/);
  t.match(damaged(43, 16), /two routes are not in order/);
  t.match(damaged(42, 15), /bits behind its length/);
  t.match(damaged(42, 33), /bits behind its length/);
  t.match(damaged(44, 2), /keys that there are not/);
  t.match(damaged(45, 0), /keys that no route has/);
  t.end();
});

const golden =
  '4e525431020000000200000002000000010000000400000000010000000000010700000000100a01081000010320010db82000';
const goldenName = '7aa9b088ca611dcf4931c5675143b1cb78c058d538938762e411f96baf7fbb70';

t.test('the form is the same for ever: names are made of it', (t) => {
  const table = tableOf(byHand({ '10.0.0.0/8': 0, '10.1.0.0/16': 7, '2001:db8::/32': 0 }));
  const bytes = encodeRouteTable(table);
  t.equal(Buffer.from(bytes).toString('hex'), golden);
  t.equal(nameOfRouteBytes(bytes), goldenName);
  t.end();
});
t.test('a table of nothing', (t) => {
  const empty: RouteTable = tableOf([]);
  t.equal(encodeRouteTable(empty).length, 24);
  t.strictSame(decodeRouteTable(encodeRouteTable(empty), limits), { ok: true, value: empty });
  t.end();
});
