import fc from 'fast-check';
import t from 'tap';
import { readCaptionFile } from '../../../common/core/caption-text.ts';

const srt = (text: string): string => `1\r\n00:00:01,000 --> 00:00:02,000\r\n${text}\r\n`;

function read(bytes: Uint8Array, language?: string): string {
  const result = readCaptionFile(bytes, language);
  return result.ok ? `${result.value.format} ${result.value.text.split('\r\n')[2] ?? ''}` : result.code;
}

t.test('charsets: by their marks, by what they can only be, else by the language', async (t) => {
  const text = srt('Grüße – „ŁÓDŹ“ Привет 日本');
  const swapped = (value: string): Buffer => Buffer.from(value, 'utf16le').swap16();
  for (const bytes of [
    Buffer.from(text),
    Buffer.from(`\ufeff${text}`),
    Buffer.from(text, 'utf16le'),
    Buffer.from(`\ufeff${text}`, 'utf16le'),
    swapped(text),
    swapped(`\ufeff${text}`),
  ])
    t.equal(read(bytes), 'srt Grüße – „ŁÓDŹ“ Привет 日本');
  const legacy = (hex: string): Buffer =>
    Buffer.concat([Buffer.from(srt('').trimEnd()), Buffer.from(`0d0a${hex}0d0a`, 'hex')]);
  t.equal(read(legacy('4772fc9f65')), 'srt GrüŸe', 'Windows-1252');
  t.equal(read(legacy('4772fcdf65'), 'de'), 'srt Grüße');
  t.equal(read(legacy('cff0e8e2e5f2'), 'ru'), 'srt Привет');
  t.equal(read(legacy('a3d3448f'), 'pl-PL'), 'srt ŁÓDŹ');
  t.equal(read(legacy('93fa967b'), 'ja'), 'srt 日本');
  t.equal(read(legacy('a4e9a5bb'), 'zh-TW'), 'srt 日本');
  t.equal(read(legacy('c8d5b1be'), 'zh-Hans'), 'srt 日本');
  t.equal(read(legacy('c0cfbabb'), 'ko'), 'srt 일본');
  t.equal(read(legacy('ff'), 'ja'), 'CAPTIONS_INVALID', 'bytes that the charset has not');
});

t.test('formats: by how the text begins, whatever the file is called', async (t) => {
  const formatOf = (text: string): string => read(Buffer.from(text)).split(' ')[0] ?? '';
  t.equal(formatOf('WEBVTT - a film\n\n00:01.000 --> 00:02.000\nx\n'), 'webvtt');
  t.equal(formatOf('\n; written by a tool\n[Script Info]\nTitle: x\n'), 'ass');
  t.equal(formatOf('\n\n1\n0:0:1.0 --> 0:0:2.5 X1:0\nx\n'), 'srt');
  for (const text of [
    '',
    'nothing',
    '{1}{2}MicroDVD',
    '#EXTM3U\nfile:///etc/passwd\n',
    'ffconcat version 1.0\nfile /etc/passwd\n',
    '<SAMI><BODY>',
    'WEBVTTX\n\n',
  ])
    t.equal(formatOf(text), 'CAPTIONS_INVALID', text.slice(0, 10));
});

t.test('what is no text is refused, whatever is in it', async (t) => {
  t.equal(read(Buffer.from('\u0089PNG\r\n\u001a\n\u0000\u0000\u0000', 'latin1')), 'CAPTIONS_INVALID');
  t.equal(read(Buffer.from(`${srt('x')}\u0000`)), 'CAPTIONS_INVALID');
  t.equal(read(Buffer.alloc(1000)), 'CAPTIONS_INVALID');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.string({ maxLength: 8 }), (bytes, language) => {
      readCaptionFile(bytes, language);
    }),
  );
});
