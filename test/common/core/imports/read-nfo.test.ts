import fc from 'fast-check';
import t from 'tap';
import { maturityOf } from '../../../../common/core/imports/maturity.ts';
import { readNfo } from '../../../../common/core/imports/read-nfo.ts';

t.test('a movie as Kodi writes it', async (t) => {
  const nfo = readNfo(`<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>
<!-- written by somebody -->
<movie>
    <title>Am&#233;lie &amp; Co</title>
    <originaltitle>Le Fabuleux Destin</originaltitle>
    <ratings><rating name="imdb" max="10" default="true"><value>8.3</value></rating></ratings>
    <plot><![CDATA[A <girl> & a gnome.]]></plot>
    <mpaa>Rated R for language</mpaa>
    <uniqueid type="tmdb">194</uniqueid>
    <uniqueid type="imdb" default="true">tt0211915</uniqueid>
    <genre>Comedy / Romance</genre>
    <genre>Drama</genre>
    <credits>Guillaume Laurant</credits>
    <director>Jean-Pierre Jeunet</director>
    <premiered>2001-04-25</premiered>
    <actor><name>Mathieu Kassovitz</name><role>Nino</role><order>1</order></actor>
    <actor><name>Audrey Tautou</name><role>Amélie</role><order>0</order><thumb>http://x/y.jpg</thumb></actor>
    <fileinfo><streamdetails><video><codec>h264</codec></video></streamdetails></fileinfo>
</movie>
https://www.themoviedb.org/movie/194`);
  t.match(nfo, {
    ok: true,
    value: {
      kind: 'movie',
      externalIds: ['imdb:tt0211915', 'tmdb:194'],
      told: {
        ...{ name: 'Amélie & Co', aliases: ['Le Fabuleux Destin'], year: 2001, maturity: 17 },
        ...{ synopsis: 'A <girl> & a gnome.', genres: ['Comedy', 'Romance', 'Drama'] },
        people: [
          { name: 'Jean-Pierre Jeunet', role: 'director' },
          { name: 'Guillaume Laurant', role: 'writer' },
          { name: 'Audrey Tautou', role: 'actor', character: 'Amélie' },
          { name: 'Mathieu Kassovitz', role: 'actor', character: 'Nino' },
        ],
      },
    },
  });
});

t.test('a show with its seasons, and episodes of which several share a video', async (t) => {
  const show = readNfo(`<tvshow><title>Dekalog</title><uniqueid type="tvdb">1</uniqueid>
    <namedseason number="1">First</namedseason><namedseason number="2"></namedseason>
    <seasonplot number="3">Third</seasonplot></tvshow>`);
  t.match(show, { value: { kind: 'tvshow', externalIds: ['tvdb:show/1'] } });
  t.strictSame(show.ok && [...show.value.seasons], [
    [1, { name: 'First' }],
    [3, { synopsis: 'Third' }],
  ]);
  const episode = (number: number): string =>
    `<episodedetails><title>Part ${number}</title><plot>Plot ${number}</plot><season>1</season><episode>${number}</episode>
    <uniqueid type="tvdb" default="true">10${number}</uniqueid></episodedetails>`;
  t.match(readNfo(`<?xml version="1.0"?>\n${episode(4)}\n${episode(5)}`), {
    value: {
      ...{ kind: 'episodedetails', season: 1, episode: 4 },
      told: { name: 'Part 4 / Part 5', synopsis: 'Plot 4\n\nPlot 5' },
      externalIds: ['tvdb:episode/104', 'tvdb:episode/105'],
    },
  });
});

t.test('what is no such file is refused by its line, and nothing outside it is read', async (t) => {
  const refusedFor = (text: string): string => {
    const nfo = readNfo(text);
    return nfo.ok ? JSON.stringify(nfo.value.told) : nfo.detail;
  };
  t.match(refusedFor('https://www.imdb.com/title/tt0211915/'), /none of <movie>/);
  t.match(refusedFor('<movie>\n<title>x</titel></movie>'), /line 2: <\/titel> closes nothing/);
  t.match(refusedFor('<movie><title>x</title>'), /never closed/);
  t.match(refusedFor('<movie'), /no XML/);
  t.match(
    refusedFor('<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]><movie>&a;</movie>'),
    /declarations/,
  );
  t.match(refusedFor('<movie>'.repeat(100)), /deep/);
  t.match(refusedFor(`<movie>${'<a/>'.repeat(30_000)}</movie>`), /more than 20000 elements/);
  t.match(refusedFor(`<movie>${'x'.repeat(1024 * 1024)}</movie>`), /characters/);
  t.match(
    refusedFor('<movie><title>R&B &amp; &unknown; &#x110000;</title></movie>'),
    /R&B & &unknown; &#x110000;/,
  );
  const pieces = fc.constantFrom(
    '<movie>',
    '</movie>',
    '<title>',
    '</title>',
    '&amp;',
    '&#0;',
    '<a b="c">',
    '<![CDATA[',
    ']]>',
    '<!--',
    'x',
    '"',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), (some) => {
      readNfo(some.join(''));
    }),
  );
});

t.test('ages of ratings', async (t) => {
  for (const [rating, age] of [
    ['Rated PG-13 for some violence', 13],
    ['US:TV-MA', 17],
    ['DE:FSK 16', 16],
    ['FSK-12', 12],
    ['GB:12A', 12],
    ['R', 17],
    ['21+', 18],
    ['6', 6],
    ['Not Rated', undefined],
    ['', undefined],
  ] as const)
    t.equal(maturityOf(rating), age, rating);
});
