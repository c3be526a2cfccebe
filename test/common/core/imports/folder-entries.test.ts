import t from 'tap';
import { folderEntries } from '../../../../common/core/imports/folder-entries.ts';
import { orderLines } from '../../../../common/core/imports/lines.ts';
import { readNfo } from '../../../../common/core/imports/read-nfo.ts';

function read(files: Readonly<Record<string, string>>): unknown[] {
  const nfos = new Map(
    Object.entries(files)
      .filter(([path]) => path.endsWith('.nfo'))
      .map(([path, text]) => [path, readNfo(text)]),
  );
  return [
    ...orderLines(folderEntries(Object.keys(files), { nfos, label: 'films', formerLabels: ['hash', ''] })),
  ].map(({ file, read: told }) => ('entry' in told ? told.entry : `${file}: ${told.detail}`));
}

t.test('films with and without NFO files', async (t) => {
  const entries = read({
    'A.Film.(1999).mkv': '',
    'Amelie/amelie.mp4': '',
    'Amelie/movie.nfo': '<movie><title>Amélie</title><uniqueid type="imdb">tt0211915</uniqueid></movie>',
    'Amelie/Extras/making of.mp4': '',
    'two/one.mp4': '',
    'two/other.mp4': '',
    'two/movie.nfo': '<movie><title>Which?</title></movie>',
    'two/Trailers/a.mp4': '',
    'broken/film.mp4': '',
    'broken/film.nfo': '<movie>',
    'poster.jpg': '',
    'lost.mp4': '',
    'lost.nfo': '<episodedetails><title>x</title></episodedetails>',
  });
  t.match(entries.slice(0, 3).sort(), [
    /^broken\/film.nfo: .*never closed/,
    /^lost.nfo: .*no folder above it has a tvshow.nfo/,
    /^two\/Trailers\/a.mp4: .*none or several/,
  ]);
  t.strictSame(entries.slice(3), [
    {
      ...{ name: 'A Film', year: 1999, kind: 'movie', path: 'A.Film.(1999).mkv' },
      externalIds: ['file:films/A.Film.(1999).mkv'],
      formerIds: ['file:hash/A.Film.(1999).mkv', 'file:A.Film.(1999).mkv'],
      assumed: ['name', 'year', 'kind'],
    },
    {
      ...{ name: 'Amélie', kind: 'movie', path: 'Amelie/amelie.mp4' },
      externalIds: ['imdb:tt0211915', 'file:films/Amelie/amelie.mp4'],
      formerIds: ['file:hash/Amelie/amelie.mp4', 'file:Amelie/amelie.mp4'],
    },
    {
      ...{ name: 'one', kind: 'movie', path: 'two/one.mp4' },
      ...{ externalIds: ['file:films/two/one.mp4'], assumed: ['name', 'kind'] },
      formerIds: ['file:hash/two/one.mp4', 'file:two/one.mp4'],
    },
    {
      ...{ name: 'other', kind: 'movie', path: 'two/other.mp4' },
      ...{ externalIds: ['file:films/two/other.mp4'], assumed: ['name', 'kind'] },
      formerIds: ['file:hash/two/other.mp4', 'file:two/other.mp4'],
    },
    {
      ...{ name: 'making of', kind: 'extra', partOf: 'imdb:tt0211915' },
      ...{ externalIds: ['file:films/Amelie/Extras/making of.mp4'], path: 'Amelie/Extras/making of.mp4' },
      formerIds: ['file:hash/Amelie/Extras/making of.mp4', 'file:Amelie/Extras/making of.mp4'],
      assumed: ['name'],
    },
  ]);
});

t.test('a show: what holds others comes first', async (t) => {
  const entries = read({
    'Dekalog/tvshow.nfo':
      '<tvshow><title>Dekalog</title><namedseason number="1">One to five</namedseason></tvshow>',
    'Dekalog/Season 01/dekalog.s01e01.mkv': '',
    'Dekalog/Season 01/dekalog.s01e01.nfo':
      '<episodedetails><title>One</title><episode>9</episode></episodedetails>',
    'Dekalog/Season 01/dekalog.1x02.mkv': '',
    'Dekalog/Specials/interview.mkv': '',
    'Dekalog/Specials/interview.nfo':
      '<episodedetails><title>Talk</title><season>0</season><episode>3</episode></episodedetails>',
    'Dekalog/lost.mkv': '',
  });
  const series = 'file:films/Dekalog/tvshow.nfo';
  t.match(entries, [
    /lost.mkv: neither its name/,
    { name: 'Dekalog', kind: 'series', externalIds: [series] },
    {
      name: 'One to five',
      kind: 'season',
      number: 1,
      partOf: series,
      externalIds: [`${series}/season/1`],
      formerIds: ['file:hash/Dekalog/tvshow.nfo/season/1', 'file:Dekalog/tvshow.nfo/season/1'],
    },
    { name: 'Specials', kind: 'season', number: 0, partOf: series },
    { name: 'dekalog 1x02', kind: 'episode', number: 2, partOf: `${series}/season/1` },
    { name: 'One', kind: 'episode', number: 1, partOf: `${series}/season/1` },
    { name: 'Talk', kind: 'episode', number: 3, partOf: `${series}/season/0` },
  ]);
});

t.test('the same title twice is told of as such', async (t) => {
  const nfo = '<movie><uniqueid type="imdb">tt1</uniqueid></movie>';
  const entries = read({ 'a.mp4': '', 'a.nfo': nfo, 'b.mp4': '', 'b.nfo': nfo });
  t.match(entries, [/^b.nfo: .*same title/, { name: 'a' }]);
});

t.test('paths that no external id can hold are known by their hash', async (t) => {
  const [long] = read({ [`${'x'.repeat(300)}.mp4`]: '' }) as { externalIds: string[]; name: string }[];
  t.match(long?.externalIds, [/^file:films\/[0-9a-f]{64}$/]);
  t.equal(long?.name.length, 200);
});
