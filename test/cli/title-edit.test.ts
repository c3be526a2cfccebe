import t from 'tap';

import { startPlane } from '../control-plane/support/control-plane.ts';
import { createApi } from '../../cli/api.ts';
import { allTitles, findTitle } from '../../cli/find-title.ts';
import { nearcastCli } from '../support/nearcast-cli.ts';

t.test('titles are made and edited from the command line', async (t) => {
  const nearcast = nearcastCli(await startPlane(t));
  const edit = (...more: string[]) => nearcast('title', 'edit', 'Dekalog', ...more);
  t.match(await nearcast('title', 'create', 'Dekalog', '--kind', 'series'), { code: 0, stdout: /title_/ });
  t.match(await nearcast('title', 'create', 'Season 1', '--kind', 'season'), {
    code: 1,
    stderr: /TITLE_PARENT_INVALID/,
  });
  const season = ['--kind', 'season', '--of', 'Dekalog', '--number', '1'];
  t.match(await nearcast('title', 'create', 'Season 1', ...season), { code: 0 });
  t.match(await edit('{"year": 1989, "genres": ["Drama"], "release": {"stage": "draft"}}'), { code: 0 });
  const { stdout } = await nearcast('--json', 'title', 'edit', 'Dekalog', '{"year": null}');
  t.match(stdout, /"genres":\s*\[\s*"Drama"/);
  t.notMatch(stdout, /1989/);
  t.match(await edit(), { code: 0, stdout: /release .*"stage":"draft"/ });
  t.match(await edit('{"year": "soon"}'), { code: 1, stderr: /INVALID.*year/ });
  t.match(await edit('year=1989'), { code: 1, stderr: /no JSON object/ });
});

t.test('titles are listed page by page, and found by id or name without a list of all', async (t) => {
  const plane = await startPlane(t);
  const nearcast = nearcastCli(plane);
  for (let count = 0; count < 5; count++)
    await plane.call('POST /v1/titles', {
      body: { name: `Série ${count % 4}`, details: { kind: 'series' } },
    });
  const api = createApi({ server: plane.url, token: plane.operator, signal: new AbortController().signal });
  const all = await allTitles(api);
  t.equal(all.length, 5);
  t.same(await allTitles(api, { limit: 2 }), all, 'whatever the length of a page');
  t.equal((await findTitle(api, all[3]?.id ?? '')).name, 'Série 3');
  t.equal((await findTitle(api, 'SÉRIE 2')).id, all[2]?.id);
  await t.rejects(findTitle(api, 'Série 0'), { code: 'TITLE_UNKNOWN', detail: /2 titles are called/ });
  await t.rejects(findTitle(api, 'title_00000000'), { code: 'TITLE_UNKNOWN', detail: /title list/ });
  const listed = await nearcast('--json', 'title', 'list', '--state', 'live');
  t.equal((JSON.parse(listed.stdout) as unknown[]).length, 5);
  t.match(await nearcast('title', 'list', '--state', 'failed'), { code: 0, stdout: /No title is failed/ });
  t.match(await nearcast('title', 'list', '--state', 'away'), { code: 64, stderr: /live/ });
});
