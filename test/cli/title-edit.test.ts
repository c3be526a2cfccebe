import t from 'tap';

import { startPlane } from '../control-plane/support/control-plane.ts';
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
