import t from 'tap';

import { folderEntries } from '../../../../common/core/imports/folder-entries.ts';
import { orderLines } from '../../../../common/core/imports/lines.ts';
import { readCsv } from '../../../../common/core/imports/read-csv.ts';
import { readNfo } from '../../../../common/core/imports/read-nfo.ts';

/** By the name of each title its pictures, as kind and path. */
function pictures(paths: readonly string[]): Record<string, string[]> {
  const nfos = new Map(
    paths
      .filter((path) => path.endsWith('tvshow.nfo'))
      .map((path) => [path, readNfo('<tvshow><title>Show</title></tvshow>')]),
  );
  const lines = orderLines(folderEntries(paths, { nfos, label: 'films', formerLabels: [] }));
  const found: Record<string, string[]> = {};
  for (const { read } of lines) {
    const { name = '', artwork = [] } = ('entry' in read ? read.entry : {}) as {
      name?: string;
      artwork?: { kind: string; path: string }[];
    };
    found[name] = artwork.map(({ kind, path }) => `${kind} ${path}`);
  }
  return found;
}

t.test('pictures beside a film, of its folder where it is alone there', async (t) => {
  const alone = [
    'One/one.mkv',
    'One/Poster.JPG',
    'One/folder.jpg',
    'One/fanart.png',
    'One/one-clearlogo.png',
  ];
  const two = [
    'Two/two.mkv',
    'Two/other.mkv',
    'Two/poster.jpg',
    'Two/other-poster.webp',
    'Two/two-thumb.jpg',
  ];
  const extra = ['One/Trailers/short.mp4', 'One/Trailers/poster.jpg', 'One/Trailers/short.jpg'];
  t.same(pictures([...alone, ...two, ...extra, 'One/poster.txt', 'One/poster.gif']), {
    one: ['poster One/Poster.JPG', 'backdrop One/fanart.png', 'logo One/one-clearlogo.png'],
    two: ['still Two/two-thumb.jpg'],
    other: ['poster Two/other-poster.webp'],
    short: ['still One/Trailers/short.jpg'],
  });
});

t.test('of a show, of its seasons, of its episodes', async (t) => {
  const show = ['Show/tvshow.nfo', 'Show/poster.jpg', 'Show/fanart.jpg', 'Show/season01-poster.jpg'];
  const specials = ['Show/season-specials-poster.jpg', 'Show/S00E01.mkv'];
  t.same(pictures([...show, ...specials, 'Show/S01E02.mkv', 'Show/S01E02-thumb.jpg']), {
    Show: ['poster Show/poster.jpg', 'backdrop Show/fanart.jpg'],
    Specials: ['poster Show/season-specials-poster.jpg'],
    'Season 1': ['poster Show/season01-poster.jpg'],
    S00E01: [],
    S01E02: ['still Show/S01E02-thumb.jpg'],
  });
});

t.test('columns of a list', async (t) => {
  const [line] = readCsv('id,name,poster,poster:de,logo\n1,One,a.jpg,b.jpg,\n', 'list.csv');
  t.match(line?.read, {
    entry: {
      artwork: [
        { kind: 'poster', path: 'a.jpg' },
        { kind: 'poster', language: 'de', path: 'b.jpg' },
      ],
    },
  });
});
