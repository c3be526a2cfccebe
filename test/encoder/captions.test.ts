import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { checkBundle } from '../../control-plane/core/check-bundle.ts';
import { makeClip, picture, quick, withEncoded } from './support/clips.ts';
import { bytesOf, verifyEncoded } from './support/verify-encoded.ts';

const directory = t.testdir();
const at = (name: string): string => join(directory, name);

/** A film of 3 s with these captions in it: each a file, its language, its disposition. */
async function filmWith(
  name: string,
  tracks: readonly { text: string | Buffer; language: string; disposition?: string }[],
  codec = 'copy',
): Promise<string> {
  const files = await Promise.all(
    tracks.map(async ({ text }, index) => {
      const path = at(`${name}-${index}.srt`);
      await writeFile(path, text);
      return path;
    }),
  );
  return makeClip(at(name), [
    ...[...picture({ seconds: 3 }), ...files.flatMap((file) => ['-i', file]), '-map', '0'],
    ...tracks.flatMap((_, index) => ['-map', String(index + 1)]),
    ...[...quick, '-c:s', codec],
    ...tracks.flatMap(({ language, disposition = '0' }, index) => [
      ...[`-metadata:s:s:${index}`, `language=${language}`, `-disposition:s:${index}`, disposition],
    ]),
  ]);
}

const srt = (text: string, times = '00:00:00,500 --> 00:00:01,500'): string => `1\n${times}\n${text}\n\n`;

t.test('text in a film becomes WebVTT of each language and kind', async (t) => {
  const film = await filmWith('film.mkv', [
    { text: srt('Hello <i>you</i> & <b>all'), language: 'eng' },
    { text: srt('Grüße', '00:00:01,000 --> 00:00:59,000'), language: 'ger', disposition: 'default' },
    { text: srt('again'), language: 'eng' },
    { text: srt('[door] Hello'), language: 'eng', disposition: 'hearing_impaired' },
    { text: srt('EXIT'), language: 'eng', disposition: 'forced' },
  ]);
  const notices: string[] = [];
  await withEncoded(
    film,
    async (encoded, work) => {
      const bundle = await verifyEncoded(t, encoded, work);
      t.equal(checkBundle(bundle).ok, true);
      t.strictSame(
        bundle.captions?.map(({ id, language, kind }) => [id, language, kind]),
        [
          ['captions-1', 'de', 'subtitles'],
          ['captions-2', 'en', 'subtitles'],
          ['captions-3', 'en', 'captions'],
          ['captions-4', 'en', 'forced'],
        ],
      );
      const textOf = async (name: string | undefined): Promise<string> => {
        const built = encoded.files.find(({ file }) => file === name);
        return built === undefined ? '' : (await bytesOf(built)).toString();
      };
      const [german, english] = bundle.captions ?? [];
      t.equal(await textOf(german?.file), 'WEBVTT\n\n00:00:01.000 --> 00:00:03.000\nGrüße\n');
      t.match(await textOf(english?.file), '\nHello <i>you</i> &amp; <b>all</b>\n');
      t.match(
        await textOf(english?.playlist),
        `#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:3.000000,\n${english?.file ?? ''}.vtt\n#EXT-X-ENDLIST\n`,
      );
      t.strictSame(notices, ['captions in stream 3 are left out: there are others (en subtitles)']);
    },
    { onNotice: (notice) => notices.push(notice) },
  );
});

for (const codec of ['mov_text', 'ass', 'webvtt']) {
  await t.test(`${codec} is read`, async (t) => {
    const name = codec === 'mov_text' ? 'of.mp4' : `${codec}.mkv`;
    const film = await filmWith(name, [{ text: srt('one\ntwo'), language: 'fre' }], codec);
    await withEncoded(film, async (encoded) => {
      const captions = encoded.files.find(({ role }) => role === 'captions');
      const text = captions === undefined ? '' : (await bytesOf(captions)).toString();
      t.equal(text, 'WEBVTT\n\n00:00:00.500 --> 00:00:01.500\none\ntwo\n');
    });
  });
}

t.test(
  'captions that cannot be shown are left out with a notice, and the film and the others are made',
  async (t) => {
    const huge = Array.from({ length: 2600 }, (_, index) => srt(`${index} `.repeat(400))).join('');
    const film = await filmWith('broken.mkv', [
      { text: huge, language: 'eng' },
      { text: srt('late', '00:00:10,000 --> 00:00:11,000'), language: 'ita' },
      { text: srt('Bonjour'), language: 'fre' },
    ]);
    const notices: string[] = [];
    await withEncoded(
      film,
      async (encoded, work) => {
        const bundle = await verifyEncoded(t, encoded, work);
        t.strictSame(
          bundle.captions?.map(({ language }) => language),
          ['fr'],
        );
      },
      { onNotice: (notice) => notices.push(notice) },
    );
    t.match(notices.join('\n'), /captions 0 cannot be read|captions in en \(subtitles\) are left out/);
    t.match(notices.join('\n'), /captions in it \(subtitles\) are left out: nothing in it/);
  },
);

t.test('captions with a cue of a megabyte, which ffmpeg takes minutes for, are not read', async (t) => {
  const film = await filmWith('long.mkv', [
    { text: srt('x'.repeat(1_000_000)), language: 'eng' },
    { text: srt('Bonjour'), language: 'fre' },
  ]);
  const notices: string[] = [];
  await withEncoded(
    film,
    (encoded) => {
      t.equal(encoded.files.filter(({ role }) => role === 'captions').length, 1);
      return Promise.resolve();
    },
    { onNotice: (notice) => notices.push(notice) },
  );
  t.strictSame(notices, [
    'captions in stream 1 are left out: they hold more than captions do (en subtitles)',
  ]);
});
