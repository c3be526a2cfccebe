import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import t from 'tap';

import type { ImportLine } from '../../../../common/core/imports/lines.ts';
import { readImport } from '../../../../common/runtime/import-files.ts';
import { makePicture } from '../../../encoder/support/pictures.ts';
import { openCatalogLab, type CatalogLab } from '../../support/catalog-lab.ts';

async function importFolder(lab: CatalogLab, folder: string, dryRun = false): Promise<unknown[]> {
  const lines = (await readImport(folder)).flatMap(({ read }: ImportLine) =>
    'entry' in read ? [read.entry] : [],
  );
  const entries = lines.map((entry, at) => ({ line: at + 1, entry }));
  return (await lab.catalog.imports.run({ entries, dryRun })).results;
}

const artworkOf = (lab: CatalogLab): string[] =>
  lab.catalog
    .titles()
    .flatMap(({ id }) => lab.catalog.artwork.views(id))
    .map(({ kind, state }) => `${kind} ${state}`);

t.test('pictures beside videos are taken once, and again when they are others', async (t) => {
  const root = t.testdir({});
  const film = join(root, 'Film');
  await mkdir(film);
  await writeFile(join(film, 'film.mkv'), 'a film');
  await writeFile(join(film, 'poster.jpg'), await makePicture('jpg', { size: '64x96' }));
  await writeFile(join(film, 'fanart.jpg'), '<html>no picture</html>');
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });

  t.match(await importFolder(lab, root, true), [{ outcome: 'created', takesArtwork: [0, 1] }]);
  t.same(artworkOf(lab), []);
  t.match(await importFolder(lab, root), [
    { outcome: 'created', takesArtwork: [0], code: 'SOURCE_NOT_PICTURE', detail: /^backdrop .*fanart.jpg/ },
  ]);
  t.same(artworkOf(lab), ['poster queued'], 'what is broken holds nothing up');
  await rm(join(film, 'fanart.jpg'));
  t.match(await importFolder(lab, root), [{ outcome: 'unchanged', takesArtwork: undefined }]);

  const [title] = lab.catalog.titles();
  const [view] = lab.catalog.artwork.views(title?.id ?? '');
  await lab.catalog.artwork.remove(title?.id ?? '', view?.id ?? '', async () => undefined);
  t.match(await importFolder(lab, root), [{ outcome: 'unchanged' }]);
  t.same(artworkOf(lab), [], 'what somebody has removed does not come again');
  await utimes(join(film, 'poster.jpg'), 1, 1);
  t.match(await importFolder(lab, root), [{ outcome: 'changed', takesArtwork: [0] }]);
  t.same(artworkOf(lab), ['poster queued']);
});

t.test('jobs of pictures are for encoders that make them, and go before videos', async (t) => {
  const root = t.testdir({ 'film.mkv': 'a film' });
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const path = join(root, 'poster.png');
  await writeFile(path, await makePicture('png', { size: '64x96' }));
  const { id } = await lab.catalog.createTitle({ name: 'Film', path: join(root, 'film.mkv') });
  await lab.catalog.settled();
  const { view } = await lab.catalog.artwork.set(id, { kind: 'poster', path });
  const lease = (makes?: ('video' | 'picture')[]) => lab.catalog.jobs.lease('encoder', { waitMs: 0, makes });
  const pictures = await lease(['video', 'picture']);
  t.match(pictures, { titleId: id, name: 'Film', picture: { artwork: view.id, kind: 'poster' } });
  t.equal((await lease())?.picture, undefined, 'an encoder of before makes videos');
  t.equal(await lease(['video', 'picture']), undefined);

  await lab.catalog.jobs.fail(
    { jobId: pictures?.jobId ?? '', worker: 'encoder' },
    { leaseId: pictures?.leaseId ?? '', code: 'SOURCE_NOT_PICTURE', detail: 'broken', final: true },
  );
  t.match(lab.catalog.artwork.views(id), [{ state: 'failed', error: { code: 'SOURCE_NOT_PICTURE' } }]);
  const again = await lab.catalog.artwork.set(id, { kind: 'poster', path });
  t.equal(again.isNew, true, 'what has failed is taken again');
  t.same(artworkOf(lab), ['poster queued'], 'and makes room');
  await lab.close();
  const later = await openCatalogLab(t, { directory: lab.directory, options: { ingestRoots: [root] } });
  const makes = ['picture' as const];
  t.match(await later.catalog.jobs.lease('encoder', { waitMs: 0, makes }), { picture: { kind: 'poster' } });
});

t.test('a folder is known again under another label when it is said what it was called', async (t) => {
  const root = t.testdir({
    films: {
      'film.mkv': 'a film',
      Show: { 'tvshow.nfo': '<tvshow><title>Show</title></tvshow>', 'S01E01.mkv': 'an episode' },
    },
  });
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const bring = async (path: string, labels: { label?: string; was?: string }): Promise<string[]> => {
    const lines = await readImport(path, labels);
    const entries = lines.flatMap(({ read }, at) =>
      'entry' in read ? [{ line: at + 1, entry: read.entry }] : [],
    );
    return (await lab.catalog.imports.run({ entries })).results.map(({ outcome }) => outcome);
  };
  t.same(await bring(join(root, 'films'), { label: 'old' }), Array(4).fill('created'));
  // Elsewhere, so that no path tells what it is.
  await rename(join(root, 'films'), join(root, 'moved'));
  t.same(await bring(join(root, 'moved'), { label: 'new', was: 'old' }), Array(4).fill('changed'));
  t.same(await bring(join(root, 'moved'), { label: 'new' }), Array(4).fill('unchanged'));
  t.equal(lab.catalog.titles().length, 4);
});

t.test('a picture more than a title may have is said of its line; the rest is imported', async (t) => {
  const root = t.testdir({});
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root], uploadsMax: 2 } });
  const { catalog } = lab;
  const bytes = await makePicture('png', { size: '16x16', input: 'color=red' });
  const path = join(root, 'poster.png');
  await writeFile(path, bytes);
  const upload = async (content: Buffer): Promise<string> => {
    const { uploadId } = await catalog.uploads.create({ filename: 'x.png', sizeBytes: content.length });
    await catalog.uploads.append(uploadId, Readable.from([content]), { offsetBytes: 0 });
    return uploadId;
  };
  const { id } = await catalog.createTitle({
    name: 'Many',
    details: { kind: 'series', externalIds: ['tmdb:1'] },
  });
  const languages = Array.from({ length: 676 }, (_, at) =>
    String.fromCharCode(97 + Math.floor(at / 26), 97 + (at % 26)),
  );
  for (let taken = 0, at = 0; taken < 100; at++)
    await catalog.artwork.set(id, { kind: 'poster', language: languages[at] ?? '', path }).then(
      () => taken++,
      () => undefined,
    );
  const entry = (name: string, n: number, artwork: object) => ({
    ...{ line: n, entry: { name, kind: 'series', externalIds: [`tmdb:${n}`], artwork: [artwork] } },
  });
  const { results } = await catalog.imports.run({
    entries: [
      entry('Many', 1, { kind: 'backdrop', uploadId: await upload(bytes) }),
      entry('Other', 2, { kind: 'backdrop', path }),
    ],
  });
  t.match(results, [
    { line: 1, outcome: 'unchanged', code: 'OVERLOADED', detail: /100 pictures; remove some/ },
    { line: 2, outcome: 'created', takesArtwork: [0] },
  ]);
  // More broken ones than may be uploaded at once: each makes room for the next.
  for (let n = 3; n < 7; n++) {
    const uploadId = await upload(Buffer.from('no picture'));
    const one = await catalog.imports.run({ entries: [entry('Broken', n, { kind: 'poster', uploadId })] });
    t.match(one.results, [{ outcome: 'created', code: 'SOURCE_NOT_PICTURE' }]);
  }
});
