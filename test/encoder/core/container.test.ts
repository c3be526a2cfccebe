import fc from 'fast-check';
import t from 'tap';
import { sniffContainer } from '../../../encoder/core/container.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const padded = (start: Buffer): Buffer => Buffer.concat([start, Buffer.alloc(1000)]);

t.test('known containers by their first bytes', (t) => {
  const transport = Buffer.alloc(1000);
  for (let offset = 0; offset < transport.length; offset += 188) transport[offset] = 0x47;
  const disc = Buffer.alloc(1000);
  for (let offset = 4; offset < disc.length; offset += 192) disc[offset] = 0x47;
  const known = {
    mov: [hex('00000018667479706d703432'), hex('00000008776964650000000a6d646174'), hex('000001006d6f6f76')],
    matroska: [hex('1a45dfa3')],
    mpegts: [transport, disc],
    mpeg: [hex('000001ba44')],
    avi: [Buffer.from('RIFF\0\0\0\0AVI LIST')],
    flv: [Buffer.from('FLV\x01\x05')],
    ogg: [Buffer.from('OggS\0')],
    asf: [hex('3026b2758e66cf11a6d900aa0062ce6c')],
    mxf: [hex('060e2b34020501010d0102010102')],
  };
  for (const [value, heads] of Object.entries(known)) {
    for (const head of heads) t.same(sniffContainer(padded(head)), { ok: true, value });
  }
  t.end();
});

t.test('what is refused, and as what', (t) => {
  const refused = {
    SOURCE_EMPTY: [''],
    SOURCE_REFUSED: [
      '#EXTM3U\n',
      '\n\n#EXTM3U',
      'ffconcat version 1.0',
      '<?xml version="1.0"?>\n<MPD type="static">',
    ],
    SOURCE_NOT_VIDEO: ['RIFF\0\0\0\0WAVE', 'ID3', 'hello', '\x89PNG\r\n', 'GGGG'],
  };
  for (const [code, texts] of Object.entries(refused)) {
    for (const text of texts) t.match(sniffContainer(Buffer.from(text, 'latin1')), { ok: false, code });
  }
  t.end();
});

t.test('any bytes get an answer, and text is never a container', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      sniffContainer(bytes);
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => !sniffContainer(Buffer.from(`#EXTM3U\n${text}`)).ok));
  t.end();
});
