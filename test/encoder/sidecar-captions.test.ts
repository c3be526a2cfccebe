import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { CaptionKind } from '../../common/contract/bundle.ts';
import { checkBundle } from '../../control-plane/core/check-bundle.ts';
import type { Encoded } from '../../encoder/encode.ts';
import type { Sidecar } from '../../encoder/sidecar-captions.ts';
import { makeClip, picture, quick, withEncoded } from './support/clips.ts';
import { bytesOf, verifyEncoded } from './support/verify-encoded.ts';

const directory = t.testdir();

const srt = (text: string, times = '00:00:00,500 --> 00:00:01,500'): string => `1\n${times}\n${text}\n\n`;

function beside(
  name: string,
  text: string | Uint8Array,
  of: { language?: string; kind?: CaptionKind } = {},
): Sidecar {
  const { language = 'en', kind = 'subtitles' } = of;
  return { name, language, kind, read: async () => Buffer.from(text) };
}

let film = '';
t.before(async () => {
  const inside = join(directory, 'inside.srt');
  await writeFile(inside, srt('inside'));
  film = await makeClip(join(directory, 'film.mkv'), [
    ...[...picture({ seconds: 3 }), '-i', inside, '-i', inside, '-map', '0', '-map', '1', '-map', '2'],
    ...[...quick, '-c:s', 'srt', '-metadata:s:s:0', 'language=eng', '-metadata:s:s:1', 'language=fre'],
    ...['-disposition:s:0', '0', '-disposition:s:1', '0'],
  ]);
});

async function textsOf({ bundle, files }: Encoded): Promise<Record<string, string>> {
  const entries = (bundle.captions ?? []).map(async ({ language, kind, file }) => {
    const built = files.find((one) => one.file === file);
    const text = built === undefined ? '' : (await bytesOf(built)).toString();
    return [`${language} ${kind}`, text.replace(/^WEBVTT\n\n.*\n/, '').trimEnd()];
  });
  return Object.fromEntries(await Promise.all(entries)) as Record<string, string>;
}

t.test('captions beside a film are made as those in it, in whose place they come', async (t) => {
  const ass =
    '[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname\nStyle: Default,Arial\n\n[Events]\n' +
    'Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\nDialogue: 0,0:00:00.50,0:00:01.50,Default,,0,0,0,,{\\b1}Hola{\\b0}\\Ntú\n';
  const notices: string[] = [];
  const sidecars = [
    beside('film.en.srt', srt('beside')),
    beside('film.de.srt', Buffer.from(srt('Grüße'), 'latin1'), { language: 'de' }),
    beside('film.ja.srt', `\ufeff${srt('日本')}`, { language: 'ja', kind: 'forced' }),
    beside('film.es.ass', ass, { language: 'es' }),
    beside('film.en.sdh.vtt', 'WEBVTT\n\n00:00.500 --> 00:01.500\n[door] <v Bob>beside\n', {
      kind: 'captions',
    }),
  ];
  await withEncoded(
    film,
    async (encoded, work) => {
      const bundle = await verifyEncoded(t, encoded, work);
      t.equal(checkBundle(bundle).ok, true);
      t.strictSame(await textsOf(encoded), {
        'en subtitles': 'beside',
        'de subtitles': 'Grüße',
        'ja forced': '日本',
        'es subtitles': '<b>Hola</b>\ntú',
        'en captions': '[door] beside',
        'fr subtitles': 'inside',
      });
    },
    { sidecars, onNotice: (notice) => notices.push(notice) },
  );
  t.strictSame(notices, ['captions in stream 1 are left out: a file beside it has them (en subtitles)']);
});

t.test('what is wrong with a file leaves it out, and lets in what it would have replaced', async (t) => {
  const notices: string[] = [];
  const sidecars = [
    beside('film.en.srt', Buffer.from([0x89, 0x50, 0, 0, 0, 0])),
    beside('late.srt', srt('late', '00:00:10,000 --> 00:00:11,000'), { language: 'it' }),
    beside('broken.srt', srt('x', '00:00:01,000 --> never') + srt('fine'), { language: 'pt' }),
    beside('huge.vtt', `WEBVTT\n\n${'00:00.500 --> 00:01.500\nx\n\n'.repeat(21_000)}`, { language: 'nl' }),
  ];
  await withEncoded(
    film,
    async (encoded) => {
      const texts = await textsOf(encoded);
      t.strictSame(
        Object.keys(texts).sort(),
        ['en subtitles', 'fr subtitles', 'pt subtitles'],
        JSON.stringify(notices),
      );
      t.equal(texts['en subtitles'], 'inside');
    },
    { sidecars, onNotice: (notice) => notices.push(notice) },
  );
  t.match(notices, [
    /^captions film\.en\.srt are left out: CAPTIONS_INVALID: it is no text/,
    /^captions late\.srt are left out: CAPTIONS_INVALID: nothing in it is to be read/,
  ]);
  t.match(
    notices.join('\n'),
    /captions huge\.vtt are left out: CAPTIONS_INVALID: it has more than 20000 cues/,
  );
});

t.test('hostile text is only text', async (t) => {
  const long = 'x'.repeat(1024 * 1024);
  const sidecars = [
    beside(
      'film.en.srt',
      srt(
        '<script>alert(1)</script><img src=x onerror=alert(1)> \u202eevil\u2066 <font face="a" color="red">red',
      ) + srt('{\\an8}top {\\pos(1,2)}'),
    ),
    beside('film.de.srt', srt(long), { language: 'de' }),
    beside(
      'film.es.vtt',
      'WEBVTT\n\nSTYLE\n::cue { background: url(http://evil/) }\n\n' +
        '00:00.500 --> 00:01.500 line:0%\n&lt;b&gt; a --&gt; b <c.x>c</c>\n',
      { language: 'es' },
    ),
  ];
  await withEncoded(
    film,
    async (encoded) => {
      const {
        'en subtitles': en = '',
        'de subtitles': de = '',
        'es subtitles': es = '',
      } = await textsOf(encoded);
      t.notMatch(en, /<(?!\/?[biu]>)|[\u202a-\u202e\u2066-\u2069]/);
      t.match(en, 'alert(1)');
      t.match(en, 'red');
      t.ok(de.length < 2100, `of a line of a megabyte ${de.length} characters`);
      t.equal(es, '&lt;b&gt; a --&gt; b c');
    },
    { sidecars },
  );
});

t.test('what is no fault of a file is not taken for one', async (t) => {
  const gone = { ...beside('film.en.srt', ''), read: () => Promise.reject(new Error('the storage is away')) };
  await t.rejects(
    withEncoded(film, async () => undefined, { sidecars: [gone] }),
    /the storage is away/,
  );
});
