import fc from 'fast-check';
import t from 'tap';
import {
  networkOf,
  parseAddress,
  parsePrefix,
  type Address,
  type Prefix,
} from '../../../common/core/ip-address.ts';
import { openPrefixTable } from '../../../common/core/prefix-table.ts';
import { PrefixTableBuilder } from '../../../common/core/prefix-table-builder.ts';
import { addressArb, prefixArb } from '../../support/route-tables.ts';
import { pick, seededRandom } from '../../support/seeded.ts';

/** A table whose values are the places of the prefixes in the list and one, and beside them their complements. */
function buildTable(
  family: 4 | 6,
  prefixes: readonly Prefix[],
  onEnter?: (entry: number, around: number) => void,
) {
  const order = [...prefixes.entries()].sort(([, a], [, b]) => {
    const word = a.address.words.findIndex((value, at) => value !== b.address.words[at]);
    return word < 0 ? a.length - b.length : (a.address.words[word] ?? 0) - (b.address.words[word] ?? 0);
  });
  const builder = new PrefixTableBuilder(family, 1);
  for (const [entry, { address, length }] of order) {
    onEnter?.(entry, builder.enter(address.words) - 1);
    builder.enter(address.words);
    builder.open(address.words, length, entry + 1);
  }
  return openPrefixTable(builder.finish({ valueOf: (value) => value, besideOf: (value) => ~value }));
}

function lookUp(table: ReturnType<typeof buildTable>, { words }: Address) {
  const beside = ~table.besideOf(words) - 1;
  const entry = table.valueOf(words) - 1;
  return { entry, beside, scopeLength: table.scope };
}

const near = (prefixes: readonly Prefix[], flips: readonly number[]): Address[] =>
  prefixes.flatMap(({ address }) =>
    flips.map((bit) => ({
      family: address.family,
      words: address.words.map((w, at) => (at === bit >>> 5 ? (w ^ (1 << (31 - (bit & 31)))) >>> 0 : w)),
    })),
  );

const holds = (prefix: Prefix, address: Address): boolean =>
  networkOf(address, prefix.length).words.every((w, at) => w === prefix.address.words[at]);

function naive(prefixes: readonly Prefix[], address: Address): number {
  let best = -1;
  for (const [entry, prefix] of prefixes.entries()) {
    if (holds(prefix, address) && prefix.length > (prefixes[best]?.length ?? -1)) best = entry;
  }
  return best;
}

const distinct = (prefixes: readonly Prefix[]): Prefix[] => [
  ...new Map(prefixes.map((prefix) => [JSON.stringify(prefix), prefix])).values(),
];

/** Whether what a table finds of an address is what a search of all prefixes finds, and its scope is right and as large as can be. */
function isRight(
  table: ReturnType<typeof buildTable>,
  prefixes: readonly Prefix[],
  address: Address,
): boolean {
  const match = lookUp(table, address);
  const want = naive(prefixes, address);
  if (match.entry !== want || match.beside !== want) return false;
  const scope = { address: networkOf(address, match.scopeLength), length: match.scopeLength };
  if (!covers(prefixes, scope, want)) return false;
  const wider = match.scopeLength - 1;
  const larger = { address: networkOf(address, wider), length: wider };
  return wider < 0 || !covers(prefixes, larger, want);
}

for (const family of [4, 6] as const) {
  const width = family === 4 ? 32 : 128;
  // That of everything is left out, as default routes are.
  const prefixesArb = fc
    .array(
      prefixArb(family).filter(({ length }) => length > 0),
      { maxLength: 24 },
    )
    .map(distinct);

  t.test(`IPv${family}: agrees with a naive search, and the scope is right and as large as can be`, (t) => {
    fc.assert(
      fc.property(
        prefixesArb,
        fc.array(addressArb(family), { maxLength: 8 }),
        fc.array(fc.nat(width - 1), { maxLength: 4 }),
        (prefixes, random, flips) => {
          const table = buildTable(family, prefixes);
          for (const address of [...random, ...prefixes.map((p) => p.address), ...near(prefixes, flips)]) {
            if (!isRight(table, prefixes, address)) return false;
          }
          return true;
        },
      ),
      { numRuns: 300 },
    );
    t.end();
  });

  t.test(`IPv${family}: a prefix is told which one is around it`, (t) => {
    fc.assert(
      fc.property(prefixesArb, (prefixes) => {
        let right = true;
        buildTable(family, prefixes, (entry, around) => {
          const { address, length = 0 } = prefixes[entry] ?? {};
          const outer = prefixes.filter(
            (p) => p.length < length && address !== undefined && holds(p, address),
          );
          const longest = outer.sort((a, b) => b.length - a.length)[0];
          right &&= (around < 0 ? undefined : prefixes[around]) === longest;
        });
        return right;
      }),
    );
    t.end();
  });
}

t.test('IPv4: groups with many intervals, with few, and with some that begin inside of a slot', (t) => {
  // With a hundred prefixes a group is a /10 and a slot a /15; a fifth of them are longer.
  const wordArb = fc.tuple(
    fc.constantFrom(10, 10, 11, 74, 203),
    fc.nat(0xff),
    fc.constantFrom(0, 0, 0, 0x4000),
  );
  const routesArb = fc.array(fc.tuple(wordArb, fc.constantFrom(7, 8, 10, 11, 12, 13, 14, 14, 15, 18)), {
    minLength: 90,
    maxLength: 110,
  });
  fc.assert(
    fc.property(routesArb, fc.array(addressArb(4), { maxLength: 8 }), (routes, random) => {
      const all = routes.map(([[top, next, low], length]): Prefix => {
        const address: Address = { family: 4, words: [top * 2 ** 24 + next * 2 ** 16 + low] };
        return { address: networkOf(address, length), length };
      });
      const prefixes = distinct(all);
      const table = buildTable(4, prefixes);
      const addresses = [...random, ...prefixes.map((p) => p.address), ...near(prefixes, [9, 14, 15, 17])];
      return addresses.every((address) => isRight(table, prefixes, address));
    }),
    { numRuns: 20 },
  );
  t.end();
});

/** Whether every address of the block has the answer `want`: the block is cut until no prefix begins inside. */
function covers(prefixes: readonly Prefix[], block: Prefix, want: number): boolean {
  const inner = prefixes.filter((p) => p.length > block.length && holds(block, p.address));
  if (inner.length === 0) return naive(prefixes, block.address) === want;
  const length = block.length + 1;
  const left = { address: networkOf(block.address, length), length };
  const bit = block.length;
  const right = {
    address: {
      family: block.address.family,
      words: left.address.words.map((w, at) => (at === bit >>> 5 ? (w | (1 << (31 - (bit & 31)))) >>> 0 : w)),
    },
    length,
  };
  return covers(prefixes, left, want) && covers(prefixes, right, want);
}

t.test('a small table, by hand', (t) => {
  const texts = ['10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24', '192.0.2.128/25'];
  const prefixes = texts.map((text) => parsePrefix(text)).filter((prefix) => prefix !== undefined);
  const table = buildTable(4, prefixes);
  const at = (text: string) => lookUp(table, parseAddress(text) ?? { family: 4, words: [0] });
  t.strictSame(at('10.1.2.3'), { scopeLength: 24, entry: 2, beside: 2 });
  t.strictSame(at('10.1.3.3'), { scopeLength: 24, entry: 1, beside: 1 });
  t.strictSame(at('10.1.128.1'), { scopeLength: 17, entry: 1, beside: 1 });
  t.strictSame(at('10.255.0.1'), { scopeLength: 9, entry: 0, beside: 0 });
  t.strictSame(at('192.0.2.1'), { scopeLength: 25, entry: -1, beside: -1 });
  t.strictSame(at('0.0.0.0'), { scopeLength: 5, entry: -1, beside: -1 });
  const nothing = { family: 6, words: [1, 2, 3, 4] } as const;
  t.strictSame(lookUp(buildTable(6, []), nothing), { scopeLength: 0, entry: -1, beside: -1 });
  t.end();
});

t.test('a full table: a million prefixes, each address as a search from the longest on finds it', (t) => {
  const random = seededRandom(11);
  const lengths = [24, 24, 24, 24, 23, 22, 21, 20, 19, 18, 16, 12, 8, 28, 32];
  // A prefix in one number: its address, then its length, in the order in which a table is built.
  const nameOf = (address: number, length: number): number =>
    Math.floor(address / 2 ** (32 - length)) * 2 ** (32 - length) * 64 + length;
  const names = new Set<number>();
  while (names.size < 1_000_000) {
    const length = lengths[pick(random, lengths.length)] ?? 24;
    names.add(nameOf(2 ** 24 + pick(random, 0xdf000000), length));
  }
  const order = Float64Array.from(names).sort();
  const places = new Map<number, number>();
  const builder = new PrefixTableBuilder(4, 2_000_000);
  const words = [0];
  for (const [at, name] of order.entries()) {
    places.set(name, at + 1);
    words[0] = Math.floor(name / 64);
    builder.enter(words);
    builder.open(words, name % 64, at + 1);
  }
  const table = openPrefixTable(builder.finish({ valueOf: (value) => value, besideOf: (value) => value }));
  const search = (address: number): number => {
    for (let length = 32; length > 0; length--) {
      const place = places.get(nameOf(address, length));
      if (place !== undefined) return place;
    }
    return 0;
  };
  // Where a prefix begins or ends, ascending: nowhere else does what is found change.
  const edges = Float64Array.from([...names].flatMap((name) => [Math.floor(name / 64), Math.floor(name / 64) + 2 ** (32 - (name % 64))])).sort(); // prettier-ignore
  /** Whether something else is found of some address of the block around an address. */
  const changesWithin = (address: number, length: number): boolean => {
    const first = Math.floor(address / 2 ** (32 - length)) * 2 ** (32 - length);
    let [low, high] = [0, edges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((edges[middle] ?? 0) > first) high = middle;
      else low = middle + 1;
    }
    for (; (edges[low] ?? Infinity) < first + 2 ** (32 - length); low++) {
      const edge = edges[low] ?? 0;
      if (search(edge) !== search(edge - 1)) return true;
    }
    return false;
  };
  let wrong = 0;
  let wrongScopes = 0;
  for (let turn = 0; turn < 50_000; turn++) {
    // Anywhere, and at the edges of what was announced.
    const name = order[pick(random, order.length)] ?? 0;
    const edge = Math.floor(name / 64) + pick(random, 3) - 1;
    words[0] = turn % 2 === 0 ? pick(random, 2 ** 32) : edge;
    const want = search(words[0]);
    if (table.valueOf(words) !== want || table.besideOf(words) !== want) wrong++;
    const { scope } = table;
    if (changesWithin(words[0], scope) || !changesWithin(words[0], scope - 1)) wrongScopes++;
  }
  t.equal(wrong, 0);
  t.equal(wrongScopes, 0);
  t.end();
});
