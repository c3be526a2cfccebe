import fc from 'fast-check';
import t from 'tap';
import {
  formatAddress,
  formatPrefix,
  isWithin,
  networkOf,
  parseAddress,
  parsePrefix,
  sameAddress,
  type Address,
} from '../../../common/core/ip-address.ts';

t.test('addresses are read in their usual form only', (t) => {
  const good: [string, Address][] = [
    ['1.2.3.4', { family: 4, words: [0x01020304] }],
    ['255.255.255.255', { family: 4, words: [0xffffffff] }],
    ['::', { family: 6, words: [0, 0, 0, 0] }],
    ['2001:db8::1', { family: 6, words: [0x20010db8, 0, 0, 1] }],
    ['::ffff:10.0.0.1', { family: 4, words: [0x0a000001] }],
  ];
  for (const [text, address] of good) t.strictSame(parseAddress(text), address, text);
  const bad = [
    '', '1.2.3', '01.2.3.4', '0x7f.1', '1.2.3.4.5', '256.1.1.1', '127.1', '2130706433', 'fe80::1%eth0', ':::',
    '1::2::3', '12345::', 'localhost', ' 1.2.3.4', '1.2.3.4/32', '::ffff:300.0.0.1',
  ]; // prettier-ignore
  for (const text of bad) t.equal(parseAddress(text), undefined, JSON.stringify(text));
  t.end();
});

t.test('prefixes with host bits and junk are refused', (t) => {
  for (const text of ['10.0.0.0/8', '0.0.0.0/0', '1.2.3.4/32', '::/0', '2001:db8::/32', '::1/128']) {
    t.ok(parsePrefix(text), text);
  }
  const bad = [
    '10.0.0.1/8', '2001:db8::1/64', '10.0.0.0/33', '::/129', '10.0.0.0/08', '10.0.0.0/-1', '10.0.0.0', '10.0.0.0/',
    '10.0.0.0/8/8', '::ffff:10.0.0.0/104', '::ffff:a00:0/104', '10/8', 'x/8', '10.0.0.0/1e1',
  ]; // prettier-ignore
  for (const text of bad) t.equal(parsePrefix(text), undefined, text);
  t.end();
});

t.test('a prefix holds the addresses whose network it is', (t) => {
  fc.assert(
    fc.property(
      fc.record({
        family: fc.constantFrom(4 as const, 6 as const),
        random: fc.array(fc.nat(2 ** 32 - 1), { minLength: 4, maxLength: 4 }),
        bits: fc.nat(32),
        flip: fc.nat(127),
      }),
      ({ family, random, bits, flip }) => {
        const words = family === 4 ? random.slice(0, 1) : random;
        const length = family === 4 ? bits : 4 * bits;
        const prefix = { address: networkOf({ family, words }, length), length };
        const at = flip % (32 * words.length);
        const flipped = words.map((word, index) => (index === at >>> 5 ? (word ^ (1 << (31 - (at & 31)))) >>> 0 : word)); // prettier-ignore
        for (const address of [
          { family, words },
          { family, words: flipped },
        ])
          t.equal(isWithin(address, prefix), sameAddress(networkOf(address, length), prefix.address));
      },
    ),
  );
  t.notOk(isWithin({ family: 6, words: [0, 0, 0, 0] }, { address: { family: 4, words: [0] }, length: 0 }));
  t.end();
});

t.test('an address survives being written and read', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const address = parseAddress(text);
      if (address === undefined) return false;
      return JSON.stringify(parseAddress(formatAddress(address))) === JSON.stringify(address);
    }),
  );
  t.equal(formatPrefix({ family: 4, words: [0x0a010203] }, 16), '10.1.0.0/16');
  t.equal(formatPrefix({ family: 6, words: [0x20010db8, 0xffffffff, 1, 1] }, 48), '2001:db8:ffff::/48');
  t.end();
});
