import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { openCatalogLab, type CatalogLab } from '../../support/catalog-lab.ts';
import { call, type Answer } from '../../support/call.ts';
import { asRole } from '../../support/fake-credentials.ts';

const headers = asRole('operator');

async function importing(lab: CatalogLab, entries: readonly object[], more: object = {}): Promise<Answer> {
  const numbered = entries.map((entry, at) => ({ line: at + 2, entry }));
  return await call(`${lab.url}/v1/titles/import`, { json: { entries: numbered, ...more }, headers });
}

const outcomes = (answer: Answer): unknown =>
  (answer.body['results'] as { outcome: string }[]).map(({ outcome }) => outcome);

/** Sorted: what was made in the same millisecond has no order. */
const namesIn = (lab: CatalogLab): string[] =>
  lab.catalog
    .titles()
    .map(({ name }) => name)
    .sort();

t.test('titles are imported by their external ids, and again without change', async (t) => {
  const root = t.testdir({ 'one.mp4': 'a film', 'out.mp4': 'another' });
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const entries = [
    { name: 'Dekalog', kind: 'series', externalIds: ['imdb:tt0092337'], genres: ['Drama'] },
    { name: 'Season 1', kind: 'season', number: 1, externalIds: ['id:s1'], partOf: 'imdb:tt0092337' },
    {
      ...{ name: 'One', kind: 'episode', number: 1, externalIds: ['id:e1', 'file:one.mp4'], partOf: 'id:s1' },
      path: join(root, 'one.mp4'),
    },
  ];
  const dry = await importing(lab, entries, { dryRun: true });
  t.strictSame(outcomes(dry), ['created', 'created', 'created'], 'parents that would be made count');
  t.strictSame(lab.catalog.titles(), [], 'nothing was done');
  t.strictSame(outcomes(await importing(lab, entries)), ['created', 'created', 'created']);
  t.strictSame(outcomes(await importing(lab, entries)), ['unchanged', 'unchanged', 'unchanged']);
  t.equal(lab.catalog.titles().length, 3);

  const series = lab.catalog.titles().find(({ kind }) => kind === 'series');
  const path = `${lab.url}/v1/titles/${series?.id ?? ''}/metadata`;
  const edited = { name: 'Dekalog', kind: 'series', externalIds: ['imdb:tt0092337'], synopsis: 'By hand.' };
  await call(path, { method: 'PUT', json: edited, headers: { ...headers, 'if-match': '*' } });
  const changed = { name: 'The Decalogue', externalIds: ['tmdb:show/1', 'imdb:tt0092337'] };
  t.strictSame(outcomes(await importing(lab, [changed], { dryRun: true })), ['changed']);
  t.strictSame(outcomes(await importing(lab, [changed])), ['changed']);
  t.match((await call(path, { headers })).body['metadata'], {
    ...{ name: 'The Decalogue', synopsis: 'By hand.', kind: 'series' },
    externalIds: ['imdb:tt0092337', 'tmdb:show/1'],
  });
  await lab.catalog.settled();
  await lab.close();
  const again = await openCatalogLab(t, { directory: lab.directory, options: { ingestRoots: [root] } });
  t.strictSame(
    outcomes(await importing(again, entries.slice(1))),
    ['unchanged', 'unchanged'],
    'ids are kept',
  );
});

t.test('what is wrong with a line is said of it, and the rest is imported', async (t) => {
  const root = t.testdir({ 'empty.mp4': '' });
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const hostile = [
    { name: 'x', kind: 'series', externalIds: ['id:0'] },
    { name: '<script>alert(1)</script>', kind: 'series', externalIds: ['id:1'] },
    { name: '\u202egnp.exe', kind: 'series', externalIds: ['id:2'] },
    { name: 'a\u200bb', kind: 'series', externalIds: ['id:3'] },
    { name: 'x'.repeat(20_000), kind: 'series', externalIds: ['id:4'] },
    { name: 'a', kind: 'season', externalIds: ['id:a'], partOf: 'id:b' },
    { name: 'b', kind: 'season', externalIds: ['id:b'], partOf: 'id:a' },
    { name: 'own', kind: 'season', externalIds: ['id:c'], partOf: 'id:c' },
    { name: 'x', kind: 'movie', externalIds: ['id:5'] },
    { name: 'x', kind: 'movie', externalIds: ['id:6'], path: '/etc/passwd' },
    { name: 'x', kind: 'movie', externalIds: ['id:7'], path: join(root, 'empty.mp4') },
    { name: 'x', kind: 'series', externalIds: ['ID 8'] },
    { name: 'x', kind: 'series', externalIds: ['id:9'], year: 'soon' },
    { name: 'x', kind: 'series', externalIds: ['id:0', 'id:1'] },
    { name: 'x', kind: 'series', externalIds: ['id:10'], parentId: 'title_00000000' },
    'no title',
    null,
    { name: 'last', kind: 'series', externalIds: ['id:last'] },
  ] as object[];
  const codes = (answer: Answer): unknown =>
    (answer.body['results'] as { line: number; outcome: string; code?: string }[]).map(
      ({ line, outcome, code }) => [line, code ?? outcome],
    );
  const wanted = [
    'created',
    'created',
    'INVALID',
    'TITLE_TEXT_INVALID',
    'INVALID',
    'TITLE_PARENT_INVALID',
    'TITLE_PARENT_INVALID',
    'TITLE_PARENT_INVALID',
    'INVALID',
    'PATH_NOT_ALLOWED',
    'SOURCE_EMPTY',
    'INVALID',
    'INVALID',
    'TITLE_EXTERNAL_ID_TAKEN',
    'INVALID',
    'INVALID',
    'INVALID',
    'created',
  ].map((code, at) => [at + 2, code]);
  t.strictSame(
    codes(await importing(lab, hostile, { dryRun: true })),
    wanted.map(([line, code]) =>
      // Only what is there is of two titles; of what would be made the first says so.
      [line, code],
    ),
  );
  t.strictSame(codes(await importing(lab, hostile)), wanted);
  t.strictSame(namesIn(lab), ['<script>alert(1)</script>', 'last', 'x'], 'markup is text');
  const taken = { name: 'y', details: { kind: 'series', externalIds: ['id:last'] } };
  t.match(await call(`${lab.url}/v1/titles`, { json: taken, headers }), {
    status: 409,
    body: { code: 'TITLE_EXTERNAL_ID_TAKEN' },
  });
});

t.test('videos in a watched folder become titles when they have come whole', async (t) => {
  const root = t.testdir({ 'film.mp4': 'half of' });
  const lab = await openCatalogLab(t, {
    still: true,
    options: { ingestRoots: [root], watchFolders: [{ path: root }] },
  });
  const { watched } = lab.catalog;
  const names = () => namesIn(lab);
  await watched.look();
  t.strictSame(names(), [], 'it may still be written');
  await writeFile(join(root, 'film.mp4'), 'half of a film');
  await watched.look();
  t.strictSame(names(), [], 'it was still written');
  await watched.look();
  t.strictSame(names(), ['film']);
  t.match(watched.views(), [{ path: root, titles: 1, problems: [] }]);

  await writeFile(join(root, 'film.nfo'), '<movie><title>A film</title></movie>');
  await mkdir(join(root, '.trash'));
  await writeFile(join(root, '.trash', 'gone.mp4'), 'x');
  await writeFile(join(root, 'empty.mkv'), '');
  await writeFile(join(root, 'list.csv'), 'id,name,kind\n1,Dekalog,series\n2,"broken,series\n');
  for (let looks = 0; looks < 2; looks++) await watched.look();
  t.strictSame(names(), ['A film', 'Dekalog'], 'the same title, by its path');
  t.match((await call(`${lab.url}/v1/titles/import`, { headers })).body, {
    folders: [
      {
        titles: 2,
        problems: [
          { file: 'list.csv', line: 3, code: 'IMPORT_LINE_INVALID' },
          { file: 'empty.mkv', code: 'SOURCE_EMPTY' },
        ],
      },
    ],
  });
  await utimes(join(root, 'film.nfo'), 1, 1);
  await rm(join(root, 'film.mp4'));
  for (let looks = 0; looks < 2; looks++) await watched.look();
  t.strictSame(names(), ['A film', 'Dekalog'], 'what is gone from the folder stays a title');
  await rm(root, { recursive: true });
  await watched.look();
  t.match(watched.views(), [{ problems: [{ code: 'PATH_UNREADABLE' }] }]);
});

t.test('a title is given no more ids than can be read again', async (t) => {
  const lab = await openCatalogLab(t);
  const entry = { name: 'Show', kind: 'series', externalIds: ['id:1'] };
  const moved = Array.from({ length: 20 }, (_, at) => ({
    ...entry,
    externalIds: ['id:1', `file:${at}/Show`],
  }));
  const said = outcomes(await importing(lab, [entry, ...moved])) as string[];
  t.equal(said.filter((outcome) => outcome === 'refused').length, 1);
  await lab.close();
  const again = await openCatalogLab(t, { directory: lab.directory });
  t.strictSame(namesIn(again), ['Show']);
});
