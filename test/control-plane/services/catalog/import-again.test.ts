import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { EncodeJob } from '../../../../common/contract/titles.ts';
import type { WatchFolder } from '../../../../control-plane/services/catalog/ports.ts';
import { call, type Answer } from '../../support/call.ts';
import { openCatalogLab, type CatalogLab } from '../../support/catalog-lab.ts';
import { asEncoder, asRole } from '../../support/fake-credentials.ts';
import { publishSampleBundle } from '../../support/publish-bundle.ts';

const headers = asRole('operator');
const film = (name: string): string => `<movie><title>${name}</title></movie>`;

interface WatchLab extends CatalogLab {
  names(): string[];
  /** Looks twice: what has stayed as it was is imported. */
  look(): Promise<void>;
  problems(): unknown;
}

async function watching(
  t: Test,
  folders: readonly WatchFolder[],
  given: { directory?: string } = {},
): Promise<WatchLab> {
  const options = { ingestRoots: folders.map(({ path }) => path), watchFolders: folders };
  const lab = await openCatalogLab(t, { still: true, options, ...given });
  return {
    ...lab,
    names: () =>
      lab.catalog
        .titles()
        .map(({ name }) => name)
        .sort(),
    async look() {
      for (let looks = 0; looks < 2; looks++) await lab.catalog.watched.look();
    },
    problems: () => lab.catalog.watched.views().flatMap((view) => view.problems),
  };
}

t.test('folders of like layout keep apart, and one that has a name may move on', async (t) => {
  const root = t.testdir({ a: { 'film.mp4': 'one' }, b: { 'film.mp4': 'another' } });
  const named = { path: join(root, 'b'), label: 'films' };
  const lab = await watching(t, [{ path: join(root, 'a') }, named]);
  await lab.look();
  t.strictSame(lab.names(), ['film', 'film']);
  await lab.catalog.settled();
  await lab.close();
  await rename(join(root, 'b'), join(root, 'moved'));
  const moved = { path: join(root, 'moved'), label: 'films' };
  const again = await watching(t, [{ path: join(root, 'a') }, moved], { directory: lab.directory });
  await again.look();
  t.strictSame(again.names(), ['film', 'film'], 'known again where it lies now');
});

t.test('a title of an id of before is known again by its file', async (t) => {
  const root = t.testdir({ 'film.mp4': 'one' });
  const lab = await watching(t, [{ path: root }]);
  const path = join(root, 'film.mp4');
  const before = { name: 'Old', path, details: { externalIds: ['file:film.mp4'] } };
  await call(`${lab.url}/v1/titles`, { json: before, headers });
  await lab.look();
  t.strictSame(lab.names(), ['Old']);
});

t.test('what was imported without a label is known again with one, series and seasons too', async (t) => {
  const show = () => ({
    Show: { 'tvshow.nfo': '<tvshow><title>Show</title></tvshow>', 's01e01.mp4': 'an episode' },
  });
  const root = t.testdir({ a: show(), b: show(), c: show() });
  const folder = (name: string, label?: string): WatchFolder => ({ path: join(root, name), label });
  const lab = await watching(t, [folder('a'), folder('c')]);
  const old = { name: 'Show', kind: 'series', externalIds: ['file:Show/tvshow.nfo'] };
  await imported(lab, [old]);
  await lab.catalog.watched.look();
  await lab.catalog.watched.look();
  const names = ['Season 1', 'Season 1', 'Show', 'Show', 's01e01', 's01e01'];
  t.strictSame(lab.names(), names, 'of old known by its path alone, by who comes first');
  const before = lab.catalog.titles().map(({ id, parentId }) => [id, parentId]);
  const series = lab.catalog.titles().find(({ kind }) => kind === 'series');
  const metadata = `${lab.url}/v1/titles/${series?.id ?? ''}/metadata`;
  const { body } = await call(metadata, { headers });
  const json = { ...(body['metadata'] as object), maturity: 16, release: { stage: 'draft' } };
  await call(metadata, { method: 'PUT', json, headers: { ...headers, 'if-match': '*' } });
  await lab.catalog.settled();
  await lab.close();

  const folders = [folder('a', 'tv'), folder('c', 'more'), folder('b')];
  const again = await watching(t, folders, { directory: lab.directory });
  const { externalIds = [] } = json as { externalIds?: string[] };
  const anew = { externalIds: ['file:tv/Show/tvshow.nfo'], formerIds: externalIds };
  const rehearsed = await imported(
    again,
    [{ name: 'Season 2', kind: 'season', externalIds: ['id:s2'], partOf: 'file:tv/Show/tvshow.nfo' }],
    { dryRun: true, expected: [{ ...anew, kind: 'series' }] },
  );
  t.match(rehearsed.body, { results: [{ outcome: 'created' }] }, 'known by its new ids in a dry run too');
  await again.look();
  t.strictSame(again.problems(), []);
  t.strictSame(again.names(), [...names, 'Season 1', 'Show', 's01e01'].sort(), 'b is another folder');
  const after = new Map(again.catalog.titles().map(({ id, parentId }) => [id, parentId]));
  for (const [id = '', parentId] of before) t.equal(after.get(id), parentId);
  t.match((await call(`${again.url}/v1/titles/${series?.id ?? ''}/metadata`, { headers })).body['metadata'], {
    ...{ maturity: 16, release: { stage: 'draft' } },
  });
});

t.test('a list beside videos tells of them, and makes no second titles', async (t) => {
  const root = t.testdir({
    'list.csv': 'id,name,path\n1,Told by the list,film.mp4\n2,Elsewhere,Show/s01e01.mp4\n',
    'film.mp4': 'one',
    'film.nfo': '<movie><title>Told by the NFO</title><year>1999</year></movie>',
    Show: { 'tvshow.nfo': '<tvshow><title>Show</title></tvshow>', 's01e01.mp4': 'an episode' },
  });
  const lab = await watching(t, [{ path: root }]);
  await lab.look();
  t.strictSame(lab.problems(), []);
  t.strictSame(lab.names(), ['Elsewhere', 'Season 1', 'Show', 'Told by the list']);
  const title = lab.catalog.titles().find(({ name }) => name === 'Told by the list');
  t.equal(title?.year, 1999, 'the rest is told by the NFO');
  t.match(
    lab.catalog.titles().find(({ name }) => name === 'Elsewhere'),
    { kind: 'episode', number: 1 },
  );
  await writeFile(join(root, 'other.mp4'), 'another');
  await lab.look();
  await writeFile(join(root, 'list.csv'), 'id,name,kind,path\n4,Extra,extra,other.mp4\n');
  await writeFile(join(root, 'state.json'), 'of another program');
  await lab.catalog.watched.look();
  t.strictSame(lab.names(), ['Elsewhere', 'Season 1', 'Show', 'Told by the list', 'other'], 'it is written');
  await writeFile(join(root, 'state.json'), 'all the time');
  await lab.catalog.watched.look();
  t.match(lab.problems(), [{ file: 'list.csv', code: 'TITLE_PARENT_INVALID' }], 'no guess goes before it');
  await writeFile(join(root, 'list.csv'), 'id,name\n3,Nothing\n');
  await lab.look();
  t.equal(lab.names().length, 5, 'also without the list they are known');
  t.match(
    lab.catalog.titles().find(({ name }) => name === 'Elsewhere'),
    { kind: 'episode' },
  );
});

t.test('what an operator has called a film stays, until its file calls it anew', async (t) => {
  const root = t.testdir({ 'film.mp4': 'one', 'film.nfo': film('A film'), 'other.mp4': 'two' });
  const lab = await watching(t, [{ path: root }]);
  await lab.look();
  t.strictSame(lab.names(), ['A film', 'other']);
  for (const { id, name } of lab.catalog.titles())
    await call(`${lab.url}/v1/titles/${id}`, { method: 'PATCH', json: { name: `My ${name}` }, headers });
  await utimes(join(root, 'film.nfo'), 1, 1);
  await lab.look();
  t.strictSame(lab.names(), ['My A film', 'My other']);
  await writeFile(join(root, 'film.nfo'), film('Another name'));
  await lab.look();
  t.strictSame(lab.names(), ['Another name', 'My other']);
});

t.test('an NFO that is being saved renames nothing', async (t) => {
  const root = t.testdir({ 'one.mp4': 'one', 'one.nfo': film('First') });
  const lab = await watching(t, [{ path: root }]);
  await lab.look();
  await writeFile(join(root, 'one.nfo'), '');
  await lab.catalog.watched.look();
  t.strictSame(lab.names(), ['First'], 'it is written');
  await writeFile(join(root, 'one.nfo'), film('First, whole'));
  await lab.catalog.watched.look();
  t.strictSame(lab.names(), ['First']);
  t.strictSame(lab.problems(), [], 'half an NFO is told of by nobody');
  await lab.catalog.watched.look();
  t.strictSame(lab.names(), ['First, whole']);
  await writeFile(join(root, 'two.mp4'), 'two');
  await lab.catalog.watched.look();
  await writeFile(join(root, 'two.nfo'), film('Second'));
  await lab.catalog.watched.look();
  t.strictSame(lab.names(), ['First, whole'], 'a film whose NFO comes waits for it');
  await lab.catalog.watched.look();
  t.strictSame(lab.names(), ['First, whole', 'Second']);
});

t.test('a folder that cannot be read is told of, and holds nothing else up', async (t) => {
  const root = t.testdir({ 'one.mp4': 'one' });
  // Node reads no folder whose name is not UTF-8.
  await mkdir(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.from([0xe9])]));
  const lab = await watching(t, [{ path: root }]);
  await lab.look();
  t.strictSame(lab.names(), ['one']);
  t.match(lab.problems(), [{ file: /caf/, code: 'PATH_UNREADABLE' }]);
});

t.test('others have their turn while thousands of lines are judged', async (t) => {
  const lines = Array.from({ length: 2000 }, (_, at) => `${at},no such kind`);
  const lab = await watching(t, [{ path: t.testdir({ 'list.csv': `id,kind\n${lines.join('\n')}\n` }) }]);
  await lab.catalog.watched.look();
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await lab.catalog.watched.look();
  isOver = true;
  t.equal((lab.problems() as unknown[]).length, 100);
  t.ok(turns > 30, `${turns} turns`);
});

async function imported(lab: CatalogLab, entries: readonly object[], more: object = {}): Promise<Answer> {
  const json = { entries: entries.map((entry) => ({ line: 1, entry })), ...more };
  return await call(`${lab.url}/v1/titles/import`, { json, headers });
}

async function lease(lab: CatalogLab): Promise<EncodeJob> {
  await lab.catalog.settled();
  const answer = await call(`${lab.url}/v1/encode-jobs/lease`, {
    ...{ headers: asEncoder('encoder-1'), json: { waitMs: 0 } },
  });
  return answer.body as unknown as EncodeJob;
}

t.test('a video that failed, was withdrawn or replaced is taken anew', async (t) => {
  const root = t.testdir({ 'film.mp4': 'broken' });
  const lab = await watching(t, [{ path: root }]);
  const [path, report] = [join(root, 'film.mp4'), `${lab.url}/v1/encode-jobs`];
  const titles = () => lab.catalog.titles().map(({ id, state, bundle }) => ({ id, state, bundle }));
  await lab.look();
  const failed = await lease(lab);
  const json = { leaseId: failed.leaseId, code: 'SOURCE_NOT_VIDEO', detail: 'no film', final: true };
  await call(`${report}/${failed.jobId}/fail`, { headers: asEncoder('encoder-1'), json });
  await writeFile(join(root, 'other.txt'), 'something has changed');
  await lab.look();
  t.match(titles(), [{ state: 'failed' }], 'the same file fails again: it is not tried');
  await writeFile(path, 'a whole film');
  await lab.look();
  t.match(titles(), [{ state: 'queued' }]);
  const job = await lease(lab);
  t.equal(job.sizeBytes, 'a whole film'.length);
  const { name: bundle } = await publishSampleBundle(lab.blobs);
  const done = { leaseId: job.leaseId, bundle };
  const completed = { headers: asEncoder('encoder-1'), json: done };
  t.equal((await call(`${report}/${job.jobId}/complete`, completed)).status, 204);
  await lab.catalog.review();
  t.match(titles(), [{ state: 'live', bundle }]);

  await writeFile(path, 'a better film');
  await lab.look();
  t.match(titles(), [{ state: 'live', bundle }], 'what is watched does not go by itself');
  t.match(lab.problems(), [{ file: 'film.mp4', code: 'SOURCE_REPLACED', detail: /--again/ }]);
  const [{ id = '' } = {}] = titles();
  const { body } = await call(`${lab.url}/v1/titles/${id}/metadata`, { headers });
  const { externalIds } = (body['metadata'] ?? {}) as { externalIds?: string[] };
  const entry = { name: 'film', externalIds, path, videoMark: 'another' };
  const others = { again: ['failed', 'withdrawn'] };
  t.match((await imported(lab, [entry], others)).body, { results: [{ code: 'SOURCE_REPLACED' }] });
  const again = { again: ['replaced'] };
  const rehearsed = await imported(lab, [entry], { ...again, dryRun: true });
  t.match(rehearsed.body, { results: [{ takesVideo: true }] });
  t.match(titles(), [{ state: 'live' }]);
  await imported(lab, [entry], again);
  t.match(titles(), [{ id, state: 'live', bundle }], 'it is played until the other is live');
  t.match(lab.catalog.title(id).replacement, { state: 'queued' });
  t.match((await imported(lab, [{ ...entry, videoMark: 'third' }], again)).body, {
    results: [{ outcome: 'unchanged', code: 'SOURCE_REPLACED', detail: /once that one is done/ }],
  });
  await lab.catalog.withdraw(id);
  const most = await imported(lab, [entry], { again: ['failed', 'replaced'] });
  t.match(most.body, { results: [{ outcome: 'unchanged' }] });
  t.match(titles(), [{ state: 'withdrawn' }], 'what was withdrawn comes only when it is asked for');
  await imported(lab, [entry], { again: ['withdrawn'] });
  await lab.catalog.settled();
  t.match(titles(), [{ state: 'queued' }]);
  await rm(path);
});

t.test('a video that is replaced while a title is made of it is looked at once that is done', async (t) => {
  const root = t.testdir({ 'film.mp4': 'half a film' });
  const lab = await watching(t, [{ path: root }]);
  await lab.look();
  const job = await lease(lab);
  await writeFile(join(root, 'film.mp4'), 'a whole film');
  await lab.look();
  t.match(lab.problems(), [{ code: 'SOURCE_REPLACED', detail: /once that one is done/ }]);
  const json = { leaseId: job.leaseId, code: 'SOURCE_TRUNCATED', detail: 'half', final: true };
  await call(`${lab.url}/v1/encode-jobs/${job.jobId}/fail`, { headers: asEncoder('encoder-1'), json });
  await lab.look();
  t.strictSame(lab.problems(), []);
  t.equal((await lease(lab)).sizeBytes, 'a whole film'.length);
});

t.test('a source that is removed at the start is not the one that is stored anew', async (t) => {
  const root = t.testdir({ 'film.mp4': 'a film' });
  const lab = await watching(t, [{ path: root }]);
  await lab.look();
  const { jobId, leaseId, titleId, sourceKey } = await lease(lab);
  const remove = lab.blobs.remove.bind(lab.blobs);
  lab.blobs.remove = () => Promise.reject(new Error('the store is away'));
  const json = { leaseId, code: 'SOURCE_NOT_VIDEO', detail: 'no film', final: true };
  await call(`${lab.url}/v1/encode-jobs/${jobId}/fail`, { headers: asEncoder('encoder-1'), json });
  await lab.catalog.settled();
  const [begun, goesOn] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  lab.blobs.remove = async (key) => {
    begun.resolve(undefined);
    await goesOn.promise;
    await remove(key);
  };
  lab.catalog.start(new AbortController().signal);
  await begun.promise;
  const { body } = await call(`${lab.url}/v1/titles/${titleId}/metadata`, { headers });
  const { externalIds } = body['metadata'] as { externalIds?: string[] };
  const entry = { name: 'film', externalIds, path: join(root, 'film.mp4') };
  const said = imported(lab, [entry], { again: ['failed'] });
  for (let turns = 0; turns < 10; turns++) await call(`${lab.url}/v1/titles`, { headers });
  goesOn.resolve(undefined);
  t.match((await said).body, { results: [{ takesVideo: true }] });
  await lab.catalog.settled();
  t.ok(await lab.blobs.stat(sourceKey), 'it is there to be encoded');
});

t.test('tags of the file tell what nobody has told, and are told by nobody again', async (t) => {
  const root = t.testdir({ 'a film.mp4': 'one', 'named.mp4': 'two', 'named.nfo': film('Named') });
  const lab = await watching(t, [{ path: root }]);
  await lab.look();
  const { name: bundle } = await publishSampleBundle(lab.blobs);
  const edited = lab.catalog.titles().find(({ name }) => name === 'a film');
  for (let jobs = 0; jobs < 2; jobs++) {
    const { jobId, leaseId } = await lease(lab);
    const json = { leaseId, bundle, tags: { name: 'By its tags', year: 1989, genres: ['Drama'] } };
    await call(`${lab.url}/v1/encode-jobs/${jobId}/complete`, { headers: asEncoder('encoder-1'), json });
  }
  t.strictSame(lab.names(), ['By its tags', 'Named']);
  t.match(lab.catalog.title(edited?.id ?? ''), { year: 1989, genres: ['Drama'] });
  await utimes(join(root, 'a film.mp4'), 1, 1);
  await lab.look();
  t.strictSame(lab.names(), ['By its tags', 'Named'], 'a guess takes nothing back');
});
