import fc from 'fast-check';
import t from 'tap';
import { captionLimits, cleanCaptions } from '../../../encoder/core/captions.ts';

function cleaned(text: string, durationS = 60): string {
  const result = cleanCaptions(text, durationS);
  return result.ok ? result.value : result.code;
}

const cue = (text: string, times = '00:01.000 --> 00:02.000'): string => `WEBVTT\n\n${times}\n${text}\n`;

t.test('cues: in their order, within the film, nothing else of the file', (t) => {
  t.equal(
    cleaned(
      'WEBVTT kind\n\nSTYLE\n::cue { background: url(http://evil/) }\n\nNOTE 00:00.000\n\n' +
        'id-2\n00:59.000 --> 01:00:00.000 position:10%\nlate\n\n' +
        '00:61.0 --> nonsense\nlost\n\n00:05.000 --> 00:04.000\nbackwards\n\n' +
        '01:01.000 --> 01:02.000\nafter the end\r\n\r\n00:00:01.000 --> 00:00:02.000\nfirst\n',
    ),
    'WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nfirst\n\n00:00:59.000 --> 00:01:00.000\nlate\n',
  );
  t.equal(cleaned(''), 'SOURCE_REFUSED');
  t.equal(cleaned(cue('<c></c> \u202e')), 'SOURCE_REFUSED', 'there is nothing to read');
  t.end();
});

t.test('text is only text', (t) => {
  const textOf = (text: string): string => cleaned(cue(text)).split('\n').slice(3).join('\n').trimEnd();
  t.equal(textOf('Hello <i>you</i> & <b>all'), 'Hello <i>you</i> &amp; <b>all</b>');
  t.equal(textOf('a --> b'), 'a --&gt; b');
  t.equal(textOf('<script>alert(1)</script><v.x Bob>hi'), 'alert(1)hi');
  t.equal(textOf('1 &lt; 2 &amp; 3 < 4'), '1 &lt; 2 &amp; 3 &lt; 4');
  t.equal(textOf('</i>x<i>y<i>z</b></i>'), 'x<i>yz</i>', 'marks are balanced');
  t.equal(textOf('\u202eabc\u0000\ud800'), 'abc\ufffd');
  for (const sign of ['\u202a', '\u202d', '\u2066', '\u2068', '\u2069', '\u2028', '\u0085', '\ufeff'])
    t.equal(textOf(`a${sign}b`), 'ab', 'no sign turns the direction of what follows');
  t.equal(textOf('&#x202e;&#60;b&#62;'), '&amp;#x202e;&amp;#60;b&amp;#62;', 'nor by its number');
  t.end();
});

t.test('limits of size and cues', (t) => {
  const many = (count: number): string => `WEBVTT\n\n${'00:01.000 --> 00:02.000\nx\n\n'.repeat(count)}`;
  t.not(cleaned(many(captionLimits.cues)), 'SOURCE_REFUSED');
  t.equal(cleaned(many(captionLimits.cues + 1)), 'SOURCE_REFUSED');
  t.equal(cleaned(cue('x'.repeat(captionLimits.sizeBytes))), 'SOURCE_REFUSED');
  const signs = `WEBVTT\n\n${`00:01.000 --> 00:02.000\n${'&'.repeat(1990)}\n\n`.repeat(500)}`;
  t.ok(signs.length < captionLimits.sizeBytes);
  t.equal(cleaned(signs), 'SOURCE_REFUSED', 'nor is more written than may be read');
  t.ok(cleaned(cue('x'.repeat(10_000))).length < captionLimits.cueCharacters + 100);
  t.end();
});

t.test('whatever the text is: cleaned again it stays as it is, and no cue begins in it', async () => {
  const part = fc.oneof(fc.constantFrom('<b>', '</b>', '<i>', '-->', '\n', '&amp;', '&', '<'), fc.string());
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const once = cleaned(cue(parts.join('')));
      if (once === 'SOURCE_REFUSED') return;
      if (once.split('-->').length !== 2) throw new Error(`more than one cue: ${once}`);
      if (cleaned(once) !== once) throw new Error(`another text the second time: ${once}`);
    }),
  );
});
