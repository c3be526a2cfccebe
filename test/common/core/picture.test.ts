import t from 'tap';
import { readPicture } from '../../../common/core/picture.ts';

const many = 70_000;

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
