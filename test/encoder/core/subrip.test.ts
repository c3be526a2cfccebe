import fc from 'fast-check';
import t from 'tap';
import { cleanCaptions } from '../../../encoder/core/captions.ts';
import { webVttOfSubRip } from '../../../encoder/core/subrip.ts';

function cuesOf(text: string): string[] {
  const cleaned = cleanCaptions(webVttOfSubRip(text), 3600);
  return cleaned.ok ? cleaned.value.trimEnd().split('\n\n').slice(1) : [cleaned.detail];
}

t.test('SubRip as it is found', async (t) => {
  const first = '00:00:01.000 --> 00:00:02.000\none';
  t.strictSame(
    cuesOf('1\r\n00:00:01,000 --> 00:00:02,000\r\none\r\n\r\n2\r\n00:00:03,5 --> 0:1:4.25\r\ntwo\r\nlines'),
    [first, '00:00:03.005 --> 00:01:04.025\ntwo\nlines'],
  );
  t.strictSame(
    cuesOf('00:00:01,000 --> 00:00:02,000 X1:0 Y1:0\none\n2\n00:00:03,000 --> 00:00:04,000\n1984\n\nin\n'),
    [first, '00:00:03.000 --> 00:00:04.000\n1984\nin'],
    'without numbers and empty lines, with empty lines within',
  );
  t.strictSame(cuesOf('1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<font color="red">one</font>\n'), [first]);
  t.strictSame(cuesOf('1\n00:00:09,000 --> never\nlost\n\n2\n00:00:01,000 --> 00:00:02,000\none\n'), [first]);
});

t.test('whatever is in it, each cue is one that was there', async () => {
  const part = fc.oneof(
    fc.constantFrom('00:00:01,000 --> 00:00:02,000', '7', '', 'WEBVTT', 'a --> b', '00:01.000 --> 00:02.000'),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), (lines) => {
      const isTimes = (line: string): boolean => line.startsWith('00:00:01,000 -->');
      const there = lines.join('\n').split('\n').filter(isTimes).length;
      const made = webVttOfSubRip(lines.join('\n')).split('\n\n').length - 1;
      if (made > Math.max(1, there)) throw new Error(`${made} cues of ${there}`);
    }),
  );
});
