import { rm } from 'node:fs/promises';

import t from 'tap';

import { TitleView } from '../../../../common/contract/titles.ts';
import { until } from '../../support/until.ts';
import { addTitle } from '../../support/add-title.ts';
import { enrolNode, startPlane, temporaryDir } from '../../support/control-plane.ts';
import { found, titlesFoundSuite } from '../../support/titles-found.ts';

t.setTimeout(60_000);

t.test('titles are found by what somebody types, by viewers only when they are live', (t) =>
  titlesFoundSuite(t, []),
);

t.test('an index that was lost is made anew at the start', async (t) => {
  const dataDir = await temporaryDir(t);
  const flags = ['--ingest-roots', dataDir];
  const first = await startPlane(t, { dataDir, flags });
  const encoder = await enrolNode(first, 'encoder', { role: 'encoder' });
  const { id } = await addTitle(first, encoder, { name: 'Solaris' });
  t.equal((await first.call(`GET /v1/titles/${id}`)).as(TitleView).name, 'Solaris');
  await first.stop();
  await rm(`${dataDir}/search`, { recursive: true });
  const second = await startPlane(t, { dataDir, flags });
  const answer = await until(
    () => found(second, 'q=solaris'),
    ({ hits }) => hits.length > 0,
  );
  t.match(answer.hits, [{ id }]);
});
