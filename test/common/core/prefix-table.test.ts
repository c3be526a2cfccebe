import fc from 'fast-check';
import t from 'tap';
import {
  networkOf,
  parseAddress,
  parsePrefix,
  type Address,
  type Prefix,
} from '../../../common/core/ip-address.ts';
import { buildPrefixTable } from '../../../common/core/prefix-table.ts';

// Few distinct bits, so that prefixes nest and touch; the ends of the space are likely.
const word = fc.oneof(fc.constantFrom(0, 0xffffffff, 0x80000000, 0x0a000000, 1), fc.nat(0xffffffff));
const addressOf = (family: 4 | 6): fc.Arbitrary<Address> =>
  fc
    .array(word, { minLength: family === 4 ? 1 : 4, maxLength: family === 4 ? 1 : 4 })
    .map((words) => ({ family, words }));

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

for (const family of [4, 6] as const) {
  const width = family === 4 ? 32 : 128;
  const prefixArb = fc
    .tuple(addressOf(family), fc.oneof(fc.constantFrom(0, 1, 8, 16, 17, width - 1, width), fc.nat(width)))
    .map(([address, length]): Prefix => ({ address: networkOf(address, length), length }));

  t.test(`IPv${family}: agrees with a naive search, and the scope is right and as large as can be`, (t) => {
    fc.assert(
      fc.property(
        fc.array(prefixArb, { maxLength: 24 }).map(distinct),
        fc.array(addressOf(family), { maxLength: 8 }),
        fc.array(fc.nat(width - 1), { maxLength: 4 }),
        (prefixes, random, flips) => {
          const table = buildPrefixTable(family, prefixes);
          for (const address of [...random, ...prefixes.map((p) => p.address), ...near(prefixes, flips)]) {
            const match = table.lookup(address);
            const want = naive(prefixes, address);
            if (match.entry !== want || match.prefixLength !== (prefixes[want]?.length ?? 0)) return false;
            const scope = { address: networkOf(address, match.scopeLength), length: match.scopeLength };
            if (!covers(prefixes, scope, want)) return false;
            const wider = match.scopeLength - 1;
            const larger = { address: networkOf(address, wider), length: wider };
            if (wider >= 0 && covers(prefixes, larger, want)) return false;
          }
          return true;
        },
      ),
      { numRuns: 300 },
    );
    t.end();
  });

  t.test(`IPv${family}: parents lead through every shorter prefix`, (t) => {
    fc.assert(
      fc.property(
        fc.array(prefixArb, { maxLength: 24 }).map(distinct),
        addressOf(family),
        (prefixes, address) => {
          const table = buildPrefixTable(family, prefixes);
          const chain: number[] = [];
          for (let at = table.lookup(address).entry; at >= 0; at = table.parentOf(at))
            chain.push(table.lengthOf(at));
          const want = prefixes.filter((p) => holds(p, address)).map((p) => p.length);
          return JSON.stringify(chain) === JSON.stringify(want.sort((a, b) => b - a));
        },
      ),
    );
    t.end();
  });
}

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
  const table = buildPrefixTable(4, prefixes);
  const at = (text: string) => table.lookup(parseAddress(text) ?? { family: 4, words: [0] });
  t.strictSame(at('10.1.2.3'), { prefixLength: 24, scopeLength: 24, entry: 2 });
  t.strictSame(at('10.1.3.3'), { prefixLength: 16, scopeLength: 24, entry: 1 });
  t.strictSame(at('10.1.128.1'), { prefixLength: 16, scopeLength: 17, entry: 1 });
  t.strictSame(at('10.255.0.1'), { prefixLength: 8, scopeLength: 9, entry: 0 });
  t.strictSame(at('192.0.2.1'), { prefixLength: 0, scopeLength: 25, entry: -1 });
  t.strictSame(at('0.0.0.0'), { prefixLength: 0, scopeLength: 5, entry: -1 });
  t.strictSame(buildPrefixTable(6, []).lookup({ family: 6, words: [1, 2, 3, 4] }), {
    prefixLength: 0,
    scopeLength: 0,
    entry: -1,
  });
  t.end();
});
