import fc from 'fast-check';
import t from 'tap';
import {
  applyRouteTableDelta,
  encodeRouteTableDelta,
  nameRouteTable,
  readDeltaNames,
} from '../../../common/core/route-table-delta.ts';
import { routesArb, tableOf } from '../../support/route-tables.ts';

const limits = { routesMax: 1000 };
const damageArb = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));

t.test('a difference makes exactly the new table of the old one, and leads nowhere else', (t) => {
  fc.assert(
    fc.property(routesArb, routesArb, routesArb, (kept, gone, come) => {
      const from = nameRouteTable(tableOf([...kept, ...gone]));
      const to = nameRouteTable(tableOf([...come, ...kept]));
      const delta = encodeRouteTableDelta(from, to);
      t.strictSame(readDeltaNames(delta), { from: from.name, to: to.name });
      t.strictSame(applyRouteTableDelta(from, delta, limits), { ok: true, value: to });
      const other = nameRouteTable(tableOf(come.slice(1)));
      const refused = applyRouteTableDelta(other, delta, limits);
      return other.name === from.name || (!refused.ok && refused.code === 'ROUTE_TABLE_UNKNOWN');
    }),
  );
  t.end();
});

t.test('a damaged difference is refused, or the damage does not matter', (t) => {
  fc.assert(
    fc.property(routesArb, routesArb, damageArb, (before, after, [at, bits]) => {
      const from = nameRouteTable(tableOf(before));
      const to = nameRouteTable(tableOf(after));
      const delta = Uint8Array.from(encodeRouteTableDelta(from, to));
      delta[at % delta.length] = (delta[at % delta.length] ?? 0) ^ bits;
      const applied = applyRouteTableDelta(from, delta, limits);
      return !applied.ok || applied.value.name === to.name;
    }),
    { numRuns: 1000 },
  );
  const from = nameRouteTable(tableOf([]));
  t.match(applyRouteTableDelta(from, new Uint8Array(63), limits), { code: 'ROUTE_TABLE_INVALID' });
  t.end();
});

t.test('few changes make a small difference', (t) => {
  const keys = { classOrder: 0, asPathLength: 1, med: 0 };
  const routes = Array.from({ length: 5000 }, (_, at) => {
    return [{ address: { family: 4 as const, words: [(at * 2 ** 12) >>> 0] }, length: 20 }, keys] as const;
  });
  const from = nameRouteTable(tableOf(routes));
  const to = nameRouteTable(tableOf(routes.toSpliced(77, 3)));
  t.ok(encodeRouteTableDelta(from, to).length < 150);
  t.ok(applyRouteTableDelta(from, encodeRouteTableDelta(from, to), { routesMax: 6000 }).ok);
  t.match(applyRouteTableDelta(from, encodeRouteTableDelta(from, to), { routesMax: 10 }), {
    code: 'ROUTE_TABLE_INVALID',
  });
  t.end();
});
