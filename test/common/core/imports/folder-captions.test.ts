import fc from 'fast-check';
import t from 'tap';
import { FolderCaptions, isCaptions } from '../../../../common/core/imports/folder-captions.ts';

function found(video: string, ...paths: string[]): string[] {
  return new FolderCaptions(paths, [video])
    .of(video)
    .map(({ path, language = 'none', kind }) => `${path}: ${language} ${kind}`);
}

t.test('names say the language and the kind, as Plex, Jellyfin and Kodi read them', async (t) => {
  const says = (rest: string): string | undefined => found('film', `film.${rest}`)[0]?.replace(/^.*: /, '');
  for (const [rest, said] of Object.entries({
    srt: 'none subtitles',
    'en.srt': 'en subtitles',
    'eng.srt': 'en subtitles',
    'ger.srt': 'de subtitles',
    'en.forced.srt': 'en forced',
    'forced.en.SRT': 'en forced',
    'foreign.srt': 'none forced',
    'de.sdh.vtt': 'de captions',
    'en.cc.ass': 'en captions',
    'hi.srt': 'hi subtitles',
    'en.hi.srt': 'en captions',
    'hi.forced.srt': 'hi forced',
    'pt-BR.srt': 'pt-BR subtitles',
    'pt_br.ssa': 'pt-BR subtitles',
    'zh-Hant.srt': 'zh-Hant subtitles',
    'English.srt': 'en subtitles',
    'Deutsch.sdh.srt': 'de captions',
    'default.fr.srt': 'fr subtitles',
    'en.fr.srt': 'fr subtitles',
    'xq.srt': 'none subtitles',
    'Some Group.en.srt': 'en subtitles',
  }))
    t.equal(says(rest), said, rest);
  t.equal(says('en.commentary.srt'), undefined);
  t.equal(says('en.sub'), undefined);
  t.equal(says('en.srt.bak'), undefined);
});

t.test('of one language and kind one, the best known name and ending', async (t) => {
  const files = ['film.en.ass', 'film.en.srt', 'film.Group.en.vtt', 'film.de.srt', 'film.en.forced.srt'];
  t.strictSame(found('film', ...files), [
    'film.de.srt: de subtitles',
    'film.en.forced.srt: en forced',
    'film.en.srt: en subtitles',
  ]);
});

t.test('captions are of the video with the longest name that theirs begins with', async (t) => {
  const paths = ['a/film.en.srt', 'a/film.2.en.srt', 'a/film2.en.srt', 'b/film.en.srt', 'a/FILM.de.srt'];
  const captions = new FolderCaptions(paths, ['a/film', 'a/film.2', 'c/film']);
  const pathsOf = (video: string): string[] => captions.of(video).map(({ path }) => path);
  t.strictSame(pathsOf('a/film'), ['a/FILM.de.srt', 'a/film.en.srt']);
  t.strictSame(pathsOf('a/film.2'), ['a/film.2.en.srt']);
  t.strictSame(pathsOf('c/film'), []);
});

t.test('a folder of captions lies beside the video', async (t) => {
  t.strictSame(found('a/film', 'a/Subs/film.en.srt', 'a/other/film.de.srt', 'a/subtitles/x/film.fr.srt'), [
    'a/Subs/film.en.srt: en subtitles',
  ]);
  t.strictSame(found('film', 'Subtitles/film.srt'), ['Subtitles/film.srt: none subtitles']);
});

t.test('whatever files are called: each found one was there, and no two are alike', async () => {
  const part = fc.oneof(
    fc.constantFrom('film', 'en', 'ger', 'forced', 'sdh', 'hi', 'Subs/', ''),
    fc.string(),
  );
  const name = fc.array(part, { maxLength: 6 }).map((parts) => `film.${parts.join('.')}.srt`);
  fc.assert(
    fc.property(fc.array(name), (paths) => {
      const captions = new FolderCaptions(paths, ['film']).of('film');
      const keys = captions.map(({ language, kind }) => `${language ?? ''} ${kind}`);
      if (new Set(keys).size !== keys.length) throw new Error(keys.join());
      for (const { path } of captions) if (!paths.includes(path) || !isCaptions(path)) throw new Error(path);
    }),
  );
});
