import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import t from 'tap';
import type { EncodeJob } from '../../../../common/contract/titles.ts';
import { captionFileSizeBytesMax } from '../../../../common/contract/titles.ts';
import { readImport } from '../../../../common/runtime/import-files.ts';
import { openCatalogLab, type CatalogLab } from '../../support/catalog-lab.ts';
import { publishSampleBundle } from '../../support/publish-bundle.ts';

const srt = '1\n00:00:01,000 --> 00:00:02,000\nHello\n';

async function lease(lab: CatalogLab): Promise<EncodeJob> {
  const job = await lab.catalog.jobs.lease('encoder', { waitMs: 0 });
  if (job === undefined) throw new Error('there is no job');
  return job;
}

async function stored(lab: CatalogLab, key = ''): Promise<string | undefined> {
  const body = await lab.blobs.read(key);
  return body === undefined ? undefined : (await buffer(body)).toString();
}

async function upload(lab: CatalogLab, filename: string, text: string): Promise<string> {
  const bytes = Buffer.from(text);
  const { uploadId } = await lab.catalog.uploads.create({ filename, sizeBytes: bytes.length });
  await lab.catalog.uploads.append(uploadId, Readable.from([bytes]), { offsetBytes: 0 });
  return uploadId;
}

t.test('captions beside a video go its way: taken, stored, told to the encoder, removed', async (t) => {
  const root = t.testdir({ 'film.mkv': 'a film', 'film.de.srt': srt });
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const uploadId = await upload(lab, 'film.en.forced.srt', `${srt}!`);
  const { id } = await lab.catalog.createTitle({
    ...{ name: 'Film', path: join(root, 'film.mkv') },
    captions: [
      { path: join(root, 'film.de.srt'), language: 'ger' },
      { uploadId, language: 'en', kind: 'forced' },
    ],
  });
  await lab.catalog.settled();
  const job = await lease(lab);
  t.match(job.captions, [
    { language: 'de', kind: 'subtitles', name: 'film.de.srt', sizeBytes: srt.length },
    { language: 'en', kind: 'forced', name: 'film.en.forced.srt', sizeBytes: srt.length + 1 },
  ]);
  const keys = (job.captions ?? []).map(({ key }) => key);
  t.strictSame(await Promise.all(keys.map((key) => stored(lab, key))), [srt, `${srt}!`]);
  t.throws(() => lab.catalog.uploads.view(uploadId), { code: 'UPLOAD_UNKNOWN' }, 'it is not kept twice');

  const { name } = await publishSampleBundle(lab.blobs);
  const notices = ['captions film.de.srt are left out: CAPTIONS_INVALID: it is no text'];
  const { jobId, leaseId } = job;
  await lab.catalog.jobs.complete({ jobId, worker: 'encoder' }, { leaseId, bundle: name, notices });
  await lab.catalog.settled();
  t.strictSame(lab.catalog.title(id).notices, notices, 'whoever asks is told what was left out');
  t.notOk('notices' in (lab.catalog.titles()[0] ?? {}), 'but not in lists');
  t.strictSame(await Promise.all(keys.map((key) => stored(lab, key))), [undefined, undefined]);
});

t.test('captions that cannot be taken are refused with the title, and nothing is claimed', async (t) => {
  const root = t.testdir({ 'film.mkv': 'a film', 'film.de.srt': srt, 'empty.srt': '' });
  await writeFile(join(root, 'huge.srt'), Buffer.alloc(captionFileSizeBytesMax + 1, 'x'));
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const video = await upload(lab, 'film.mkv', 'a film');
  const text = await upload(lab, 'film.en.srt', srt);
  const path = join(root, 'film.de.srt');
  const refused = async (captions: object[], code: string): Promise<void> => {
    await t.rejects(lab.catalog.createTitle({ name: 'Film', uploadId: video, captions }), { code }, code);
  };
  await refused([{ uploadId: text }, { path: join(root, 'empty.srt'), language: 'de' }], 'SOURCE_EMPTY');
  await refused([{ uploadId: text }, { path: join(root, 'huge.srt'), language: 'de' }], 'UPLOAD_TOO_LARGE');
  await refused([{ uploadId: text }, { path: '/etc/passwd', language: 'de' }], 'PATH_NOT_ALLOWED');
  await refused([{ path: join(root, 'missing.srt') }], 'PATH_UNREADABLE');
  await refused([{ path, uploadId: text }], 'INVALID');
  await refused([{ language: 'de' }], 'INVALID');
  await refused(
    [
      { path, language: 'de' },
      { uploadId: text, language: 'deu' },
    ],
    'INVALID',
  );
  await refused([{ path, language: 'no such language' }], 'INVALID');
  t.strictSame(lab.catalog.titles(), []);
  await lab.catalog.createTitle({ name: 'Film', uploadId: video, captions: [{ uploadId: text }] });
  const series = { name: 'S', details: { kind: 'series' as const }, captions: [{ path }] };
  await t.rejects(lab.catalog.createTitle(series), { code: 'INVALID' });
});

t.test('a file that changes before it is stored is left out, and the title is made', async (t) => {
  const root = t.testdir({ 'film.mkv': 'a film', 'film.de.srt': srt, 'film.en.srt': srt });
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const captions = ['de', 'en'].map((language) => ({ language, path: join(root, `film.${language}.srt`) }));
  const made = lab.catalog.createTitle({ name: 'Film', path: join(root, 'film.mkv'), captions });
  // The title is added before its source is stored, which is another turn.
  const { id } = await made;
  await rm(join(root, 'film.de.srt'));
  await lab.catalog.settled();
  const { captions: told = [] } = await lease(lab);
  const notices = lab.catalog.title(id).notices ?? [];
  // Which of the two came first is the system's; either way the job has what is stored.
  t.equal(told.length + notices.length, 2);
  for (const { key } of told) t.equal(await stored(lab, key), srt);
});

t.test('captions in folders come with their videos; others than before are told of', async (t) => {
  const root = t.testdir({
    'film.mkv': 'a film',
    'film.en.srt': srt,
    'film.de.sdh.vtt': 'WEBVTT\n',
    Subs: { 'film.fr.srt': srt },
    'other.mkv': 'another film',
  });
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const bring = async (again: 'replaced'[] = []) => {
    const lines = (await readImport(root)).flatMap(({ read }) => ('entry' in read ? [read.entry] : []));
    const entries = lines.map((entry, at) => ({ line: at + 1, entry }));
    return (await lab.catalog.imports.run({ entries, again })).results;
  };
  t.match(await bring(), [{ outcome: 'created' }, { outcome: 'created' }]);
  await lab.catalog.settled();
  const jobs = [await lease(lab), await lease(lab)];
  const film = jobs.find(({ name }) => name === 'film');
  t.strictSame(
    film?.captions?.map(({ name, language, kind }) => `${name} ${language} ${kind}`),
    ['film.fr.srt fr subtitles', 'film.de.sdh.vtt de captions', 'film.en.srt en subtitles'],
  );
  t.notOk(jobs.find(({ name }) => name === 'other')?.captions);
  t.match(await bring(), [{ outcome: 'unchanged', code: undefined }, { outcome: 'unchanged' }]);

  await writeFile(join(root, 'film.es.srt'), srt);
  t.match(await bring(), [{ outcome: 'unchanged', code: 'SOURCE_REPLACED', detail: /other captions/ }, {}]);
  const { name } = await publishSampleBundle(lab.blobs);
  for (const { jobId, leaseId, name: of } of jobs)
    if (of === 'film')
      await lab.catalog.jobs.complete({ jobId, worker: 'encoder' }, { leaseId, bundle: name });
  await lab.catalog.settled();
  t.match(await bring(['replaced']), [{ takesVideo: true }, {}]);
  await lab.catalog.settled();
  t.equal((await lease(lab)).captions?.length, 4);
  await utimes(join(root, 'film.es.srt'), 1, 1);
  t.match(await bring(), [{ code: 'SOURCE_REPLACED', atWork: true }, {}]);
});

t.test('captions that cannot be taken hold no import up', async (t) => {
  const root = t.testdir({ 'film.mkv': 'a film', 'film.en.srt': '', 'film.de.srt': srt });
  await mkdir(join(root, 'away'));
  const lab = await openCatalogLab(t, { options: { ingestRoots: [root] } });
  const [line] = await readImport(root);
  const entry = line !== undefined && 'entry' in line.read ? line.read.entry : {};
  const { results } = await lab.catalog.imports.run({ entries: [{ line: 1, entry }] });
  t.match(results, [
    { outcome: 'created', code: 'SOURCE_EMPTY', detail: /^captions are left out: .*film.en.srt/ },
  ]);
  await lab.catalog.settled();
  t.match((await lease(lab)).captions, [{ name: 'film.de.srt' }]);
});
