import t from 'tap';
import { readPicture } from '../../../common/core/picture.ts';

const many = 70_000;

/** A baseline JPEG of a header, of any size, with what else is wanted before it. */
const jpegOf = (width: number, height: number, before = ''): Buffer => {
  const size = [height, width].map((one) => one.toString(16).padStart(4, '0')).join('');
  return Buffer.from(`ffd8${before}ffc0000b08${size}01011100ffda0008010100003f0012ffd013ff0014ffd9`, 'hex');
};

t.test('a JPEG’s markers without a length, and any number of bytes before one, hide nothing', async (t) => {
  for (const before of ['', 'ff01', 'ffd0ffd7', 'ffffff01', 'fffffffffffe0004abcd', 'ff01ffffd3ffdb0002'])
    t.match(readPicture(jpegOf(40, 60, before)), { ok: true, value: { width: 40, height: 60 } }, before);
  const [read, without] = [
    readPicture(jpegOf(40, 60, 'ffd0ff01fffe0004abcdffffff')),
    readPicture(jpegOf(40, 60)),
  ];
  t.ok(read.ok && without.ok && read.value.clean().equals(without.value.clean()), 'none of it goes on');
  for (const wrong of ['ffdb0000', 'ffdb0001', 'ff00', '0102'])
    t.match(readPicture(jpegOf(40, 60, wrong)), { ok: false, code: 'SOURCE_NOT_PICTURE' }, wrong);
  t.match(readPicture(Buffer.from('ffd8ffd0ff01', 'hex')), { ok: false, code: 'SOURCE_TRUNCATED' });
});

t.test('what is too long, too small or too large says what is taken', async (t) => {
  for (const [width, height] of [
    [20, 100_000],
    [100_000, 20],
    [15, 100],
    [30_000, 30_000],
  ] as const) {
    const png = Buffer.from(`\x89PNG\r\n\x1a\n0000IHDR${'0'.repeat(21)}IEND0000`, 'latin1');
    for (const [at, value] of [
      [8, 13],
      [16, width],
      [20, height],
      [33, 0],
    ] as const)
      png.writeUInt32BE(value, at);
    const detail = `it is ${width}x${height}; taken is sides of 16 to 65535 pixels, 64 megapixels in all`;
    t.match(readPicture(png), { ok: false, code: 'SOURCE_REFUSED', detail });
  }
});

t.test('a picture in more pieces than any has is refused, whatever the pieces are', async (t) => {
  const jpeg = Buffer.concat([
    Buffer.from('ffd8', 'hex'),
    Buffer.from('ffdb0002'.repeat(many), 'hex'),
    Buffer.from('ffd9', 'hex'),
  ]);
  const png = Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    Buffer.from('0000000d49484452000000400000004008060000000000000000', 'hex').subarray(0, 25),
    Buffer.from('00000000494441540000000000'.slice(0, 24).repeat(many), 'hex'),
  ]);
  const chunks = Buffer.from('414c504800000000'.repeat(many), 'hex');
  const webp = Buffer.concat([Buffer.from('RIFF0000WEBP'), chunks]);
  webp.writeUInt32LE(webp.length - 8, 4);
  for (const bytes of [jpeg, png, webp]) t.match(readPicture(bytes), { ok: false, code: 'SOURCE_REFUSED' });
});
