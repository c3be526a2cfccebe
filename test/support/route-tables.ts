import fc from 'fast-check';
import { networkOf, type Address, type Prefix } from '../../common/core/ip-address.ts';
import { createRouteTableBuilder, type RouteKeys, type RouteTable } from '../../common/core/route-table.ts';

/** A route of a test. */
export type TestRoute = readonly [Prefix, RouteKeys];

// Few distinct bits, so that prefixes nest, touch and come twice; the ends of the space are likely.
const word = fc.oneof(
  fc.constantFrom(0, 0xffffffff, 0x80000000, 0x0a000000, 0x0a010000, 1),
  fc.nat(0xffffffff),
);

/** Any address of a family. */
export function addressArb(family: 4 | 6): fc.Arbitrary<Address> {
  const size = family === 4 ? 1 : 4;
  return fc.array(word, { minLength: size, maxLength: size }).map((words) => ({ family, words }));
}

/** Any prefix of a family, that of everything included. */
export function prefixArb(family: 4 | 6): fc.Arbitrary<Prefix> {
  const width = family === 4 ? 32 : 128;
  const length = fc.oneof(fc.constantFrom(0, 1, 8, 16, 17, width - 1, width), fc.nat(width));
  return fc
    .tuple(addressArb(family), length)
    .map(([address, bits]): Prefix => ({ address: networkOf(address, bits), length: bits }));
}

const keysArb: fc.Arbitrary<RouteKeys> = fc.record({
  classOrder: fc.nat(2),
  asPathLength: fc.oneof(fc.nat(3), fc.nat(255)),
  med: fc.oneof(fc.nat(2), fc.nat(0xffffffff)),
});

/** Some routes of both families, in no order. */
export const routesArb: fc.Arbitrary<TestRoute[]> = fc.array(
  fc.tuple(fc.oneof(prefixArb(4), prefixArb(6)), keysArb),
  { maxLength: 40 },
);

/** Builds a table. */
export function tableOf(routes: Iterable<TestRoute>): RouteTable {
  const builder = createRouteTableBuilder();
  for (const [prefix, keys] of routes) builder.add(prefix, keys);
  return builder.build();
}
