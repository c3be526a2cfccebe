import fc from 'fast-check';
import t from 'tap';
import { checkWhole, readBoxHeader, type Box } from '../../../encoder/core/mp4-boxes.ts';

const box = (type: string, offsetBytes: number, sizeBytes: number): Box => ({
  ...{ type, offsetBytes, sizeBytes },
  headerLengthBytes: 8,
});

t.test('headers', (t) => {
  t.match(readBoxHeader(Buffer.from('0000001066726565', 'hex'), 7), {
    type: 'free',
    offsetBytes: 7,
    sizeBytes: 16,
  });
  t.match(readBoxHeader(Buffer.from('000000006d646174', 'hex'), 0), { type: 'mdat', sizeBytes: Infinity });
  const large = Buffer.from('000000016d6461740000000100000000', 'hex');
  t.match(readBoxHeader(large, 0), { sizeBytes: 2 ** 32, headerLengthBytes: 16 });
  t.equal(readBoxHeader(large.subarray(0, 12), 0), undefined);
  t.equal(readBoxHeader(Buffer.from('0000000466726565', 'hex'), 0), undefined, 'smaller than its header');
  t.equal(readBoxHeader(Buffer.from('0000001000010203', 'hex'), 0), undefined, 'no type');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 16 }), (bytes) => {
      const header = readBoxHeader(Buffer.from(bytes), 0);
      return header === undefined || header.sizeBytes >= header.headerLengthBytes;
    }),
  );
  t.end();
});

t.test('whole files and cut ones', (t) => {
  const whole = [box('ftyp', 0, 24), box('moov', 24, 100), box('mdat', 124, 876)];
  t.match(checkWhole(whole, 1000), { ok: true });
  t.match(checkWhole(whole, 999), { ok: false, code: 'SOURCE_TRUNCATED' });
  t.match(checkWhole([box('ftyp', 0, 24), box('mdat', 24, 976)], 1000), {
    ok: false,
    code: 'SOURCE_TRUNCATED',
  });
  t.match(checkWhole([...whole, box('free', 1000, 50)], 1020), { ok: true }, 'a cut in nothing does no harm');
  t.match(checkWhole([box('moov', 0, 100), box('mdat', 100, Infinity)], 500), { ok: true });
  t.end();
});
