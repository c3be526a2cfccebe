import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { openCatalogLab, type CatalogLab } from '../../support/catalog-lab.ts';
import { call, type Answer, type CallOptions } from '../../support/call.ts';
import { asRole } from '../../support/fake-credentials.ts';

const operator = asRole('operator');

async function ask(
  lab: CatalogLab,
  route: string,
  { json, headers }: Pick<CallOptions, 'json' | 'headers'> = {},
): Promise<Answer> {
  const [method, path = ''] = route.split(' ') as [CallOptions['method'] & string, string];
  return call(`${lab.url}${path}`, { method, json, headers: { ...operator, ...headers } });
}

async function add(lab: CatalogLab, json: object): Promise<string> {
  const answer = await ask(lab, 'POST /v1/titles', { json });
  if (answer.status !== 201) throw new Error(answer.text);
  return String(answer.body['id']);
}

t.test('a series with its seasons, episodes and extras', async (t) => {
  const lab = await openCatalogLab(t, { options: { ingestRoots: [t.testdir()] } });
  const path = join(t.testdirName, 'film.mp4');
  await writeFile(path, 'a film');
  const series = await add(lab, { name: 'Dekalog', details: { kind: 'series', year: 1989 } });
  const season = await add(lab, {
    name: 'Season 1',
    details: { kind: 'season', parentId: series, number: 1 },
  });
  const episode = await add(lab, {
    name: 'One',
    path,
    details: { kind: 'episode', parentId: season, number: 1 },
  });
  t.match(await ask(lab, `GET /v1/titles/${episode}`), {
    body: { kind: 'episode', parentId: season, number: 1, state: /queued/ },
  });
  t.match(await ask(lab, `GET /v1/titles/${series}`), {
    body: { kind: 'series', state: 'live', year: 1989 },
  });
  t.equal(lab.catalog.counts().live, 0, 'only what has a video is counted');
  await lab.catalog.settled();

  const wrong = async (json: object) => (await ask(lab, 'POST /v1/titles', { json })).body['code'];
  t.equal(await wrong({ name: 'x', path, details: { kind: 'series' } }), 'INVALID', 'a series has no video');
  t.equal(await wrong({ name: 'x', details: { kind: 'episode', parentId: season } }), 'INVALID');
  t.equal(await wrong({ name: 'x', details: { kind: 'season' } }), 'TITLE_PARENT_INVALID');
  t.equal(await wrong({ name: 'x\u200b', details: { kind: 'series' } }), 'TITLE_TEXT_INVALID');
  t.equal(await wrong({ name: 'x'.repeat(1_048_576), path }), 'BODY_TOO_LARGE', 'a title of 1 MB');
  t.equal(await wrong({ name: 'x'.repeat(201), path }), 'INVALID');
  const renamed = await ask(lab, `PATCH /v1/titles/${episode}`, { json: { name: 'a\u2060b' } });
  t.match(renamed, { status: 422, body: { code: 'TITLE_TEXT_INVALID' } });

  const { body: read } = await ask(lab, `GET /v1/titles/${series}/metadata`);
  const put = (id: string, metadata: object, etag = '*') =>
    ask(lab, `PUT /v1/titles/${id}/metadata`, { json: metadata, headers: { 'if-match': etag } });
  t.match(await put(series, { name: 'x', kind: 'season', parentId: season }, String(read['etag'])), {
    status: 422,
    body: { code: 'TITLE_CYCLE' },
  });
  t.match(await put(series, { name: 'x', kind: 'movie' }), { body: { code: 'TITLE_KIND_FIXED' } });
  const other = await add(lab, { name: 'Other', details: { kind: 'series' } });
  const moved = { name: 'x', kind: 'season', parentId: other };
  t.match(await put(series, moved), { body: { code: 'TITLE_PARENT_INVALID' } }, 'it holds a season');
  t.match(await put(season, { name: 'x', kind: 'series' }), { status: 200 }, 'with its episode');
  t.match(await put(series, moved), { status: 200 }, 'it holds nothing now');

  await lab.close();
  const again = await openCatalogLab(t, { directory: lab.directory });
  t.match(await ask(again, `GET /v1/titles/${season}`), { body: { kind: 'series' } }, 'kept on the disk');
});

t.test('nobody overwrites what another has changed meanwhile', async (t) => {
  const lab = await openCatalogLab(t);
  const id = await add(lab, { name: 'Dekalog', details: { kind: 'series' } });
  const route = `/v1/titles/${id}/metadata`;
  const first = await ask(lab, `GET ${route}`);
  const etag = String(first.body['etag']);
  t.equal(first.headers['etag'], etag);
  const put = (metadata: object, tag?: string) =>
    ask(lab, `PUT ${route}`, { json: metadata, headers: tag === undefined ? {} : { 'if-match': tag } });
  const metadata = { name: 'Dekalog', kind: 'series', genres: ['Drama'] };
  t.match(await put(metadata), { status: 428, body: { code: 'PRECONDITION_REQUIRED' } });
  const both = await Promise.all([put(metadata, etag), put({ ...metadata, year: 1989 }, etag)]);
  t.strictSame(both.map(({ status }) => status).sort(), [200, 412], 'one of two at once');
  t.match(await put(metadata, etag), { status: 412, body: { code: 'PRECONDITION_FAILED' } });
  t.match(await put(metadata, `W/${etag}`), { status: 412 }, 'weak tags match nothing');
  const now = await ask(lab, `GET ${route}`);
  await ask(lab, `PATCH /v1/titles/${id}`, { json: { name: 'The Decalogue' } });
  t.match(await put(metadata, String(now.body['etag'])), { status: 412 }, 'a new name is a change too');
  await ask(lab, `PATCH /v1/titles/${id}`, { json: { pinned: true } });
  const last = await ask(lab, `GET ${route}`);
  t.match(await put(metadata, `"other", ${String(last.body['etag'])}`), { status: 200 });
  t.match(await put({ ...metadata, colour: 'red' }, '*'), { status: 400, body: { code: 'INVALID' } });
  t.match(await ask(lab, 'GET /v1/titles/title_unknown1/metadata'), { status: 404 });
  t.match(await ask(lab, 'PUT /v1/titles/title_unknown1/metadata', { json: metadata }), { status: 404 });
});
