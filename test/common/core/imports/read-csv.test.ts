import fc from 'fast-check';
import t from 'tap';
import { csvRecords } from '../../../../common/core/imports/csv-records.ts';
import type { ImportLine } from '../../../../common/core/imports/lines.ts';
import { readCsv } from '../../../../common/core/imports/read-csv.ts';

const records = (text: string) => [...csvRecords(text, { separator: ',', charactersMax: 1000 })];

/** What was read, the lines of what was not in the place of it. */
const entriesOf = (lines: readonly ImportLine[]): unknown[] =>
  lines.map(({ line, read }) => ('entry' in read ? read.entry : line));

t.test('fields come back as they were written, whatever is in them', async (t) => {
  const field = fc.string({ unit: fc.constantFrom('a', ' ', ',', '"', '\n', '\r', 'é', '😀') });
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  fc.assert(
    fc.property(
      fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { maxLength: 8 }),
      fc.constantFrom('\n', '\r\n'),
      (rows, end) => {
        const told = rows.filter((row) => row.some((text) => text.trim() !== ''));
        const text = rows.map((row) => row.map(quoted).join(',') + end).join('');
        const read = records(text).map((record) => ('fields' in record ? record.fields : record.fault));
        t.strictSame(read, told);
      },
    ),
  );
});

t.test('any text is read to its end, each record on a line further on', async (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r'), maxLength: 60 });
  fc.assert(
    fc.property(text, (typed) => {
      const lines = records(typed).map(({ line }) => line);
      const sorted = lines.every((line, at) => at === 0 || line > (lines[at - 1] ?? 0));
      t.ok(sorted && lines.every((line) => line >= 1 && line <= typed.split('\n').length));
    }),
  );
});

t.test('what is broken is told of by its line, and the rest is read', async (t) => {
  const found = records('a,b\n"never closed,b\nc,"d"x\ne\n\n"f\ng",h\ni"j,k\nl');
  t.match(found, [
    { line: 1, fields: ['a', 'b'] },
    { line: 2, fault: /is not closed|something else/ },
    { line: 3, fault: /something else/ },
    { line: 4, fields: ['e'] },
    { line: 6, fields: ['f\ng', 'h'] },
    { line: 8, fault: /does not begin with one/ },
    { line: 9, fields: ['l'] },
  ]);
  t.match(records(`"${'x'.repeat(2000)}",1\nb`), [
    { line: 1, fault: /1000/ },
    { line: 2, fields: ['b'] },
  ]);
  t.match(records(`${'x'.repeat(2000)}\nb`), [{ line: 1, fault: /1000/ }, { line: 2 }]);
});

t.test('a list of titles as spreadsheets write it', async (t) => {
  const text = [
    '\ufeffid;imdb;Name;Kind;Year;Genres;Directors;Actors;name:de;synopsis:de;Regions;From;Box office',
    '1;tt0092337;Dekalog;series;1989;Drama | Crime;Krzysztof Kieślowski;A|B;Zehn Gebote;"Zehn; Filme";DE|AT;2027-01-01;5',
    'tmdb:7;;"Amélie ""Poulain""";;soon;;;;;;;;',
    '3;;too;many;;;;;;;;;;;;;',
  ].join('\r\n');
  t.strictSame(entriesOf([...readCsv(text, 'titles.csv')]), [
    1,
    {
      ...{ externalIds: ['id:1', 'imdb:tt0092337'], name: 'Dekalog', kind: 'series', year: 1989 },
      genres: ['Drama', 'Crime'],
      people: [
        { name: 'Krzysztof Kieślowski', role: 'director' },
        { name: 'A', role: 'actor' },
        { name: 'B', role: 'actor' },
      ],
      translations: [{ language: 'de', name: 'Zehn Gebote', synopsis: 'Zehn; Filme' }],
      release: {
        stage: 'published',
        windows: [{ regions: ['DE', 'AT'], fromMs: Date.UTC(2027, 0, 1) }],
      },
    },
    { externalIds: ['tmdb:7'], name: 'Amélie "Poulain"', year: 'soon' },
    4,
  ]);
  t.match([...readCsv('', 'x.csv')], [{ line: 1, read: { detail: /empty/ } }]);
  t.match([...readCsv('"id', 'x.csv')], [{ line: 1, read: { code: 'IMPORT_LINE_INVALID' } }]);
});
