import fc from 'fast-check';
import t from 'tap';
import { encodeHoldings, holdingsRowBytes, openHoldings } from '../../../common/core/holdings-codec.ts';
import { valueOf } from '../../../common/runtime/errors.ts';

const tables = fc
  .record({
    appliances: fc.integer({ min: 1, max: 40 }),
    names: fc.uniqueArray(fc.uint8Array({ minLength: 32, maxLength: 32 }), {
      maxLength: 6,
      selector: (name) => Buffer.from(name).toString('hex'),
    }),
  })
  .chain(({ appliances, names }) => {
    const rows = fc.array(fc.array(fc.nat(appliances - 1), { maxLength: 5 }), {
      minLength: names.length,
      maxLength: names.length,
    });
    const sorted = names.map((name) => Buffer.from(name).toString('hex')).sort();
    return fc.record({
      appliances: fc.constant(appliances),
      names: fc.constant(sorted),
      whole: rows,
      parts: fc.option(rows, { nil: undefined }),
    });
  });

function bitsOf(rows: readonly (readonly number[])[], appliances: number): Uint8Array {
  const rowBytes = holdingsRowBytes(appliances);
  const bits = new Uint8Array(rows.length * rowBytes);
  rows.forEach((holders, row) => {
    for (const holder of holders) {
      const at = row * rowBytes + (holder >>> 3);
      bits[at] = (bits[at] ?? 0) | (1 << (holder & 7));
    }
  });
  return bits;
}

t.test('what is written is what is read, with parts and without', async (t) => {
  fc.assert(
    fc.property(tables, ({ appliances, names, whole, parts }) => {
      const bits = bitsOf(whole, appliances);
      const partBits = parts && bitsOf(parts, appliances);
      const bytes = encodeHoldings(names, appliances, {
        bits,
        ...(partBits !== undefined && { parts: partBits }),
      });
      const opened = valueOf(openHoldings(bytes, appliances));
      t.strictSame(Buffer.from(opened.names).toString('hex'), names.join(''));
      t.strictSame([...opened.bits], [...bits]);
      const isEmpty = partBits?.every((byte) => byte === 0) !== false;
      t.strictSame([...opened.parts], isEmpty ? [] : [...partBits]);
    }),
    { numRuns: 50 },
  );
});

t.test('what is cut, longer, of another map or of no known form is refused', async (t) => {
  const names = ['0'.repeat(64), '1'.repeat(64)];
  const bytes = encodeHoldings(names, 3, { bits: Uint8Array.of(7, 0), parts: Uint8Array.of(0, 5) });
  const refused = (of: Uint8Array, appliances = 3): void => {
    t.match(openHoldings(of, appliances), { ok: false, code: 'HOLDINGS_INVALID' });
  };
  for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length));
  refused(Uint8Array.of(...bytes, 0));
  refused(bytes, 4);
  const spoiled = (at: number, value: number): Uint8Array => bytes.with(at, value);
  refused(spoiled(3, '3'.charCodeAt(0)));
  refused(spoiled(bytes.length - 1, 8));
  refused(spoiled(12, 0x22));
});
