import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { openSearch } from '../../../../common/adapters/search/open.ts';
import { createSystemClock } from '../../../../common/runtime/clock.ts';
import { startOpenSearch } from '../../../support/opensearch-server.ts';
import { addTitle } from '../../support/add-title.ts';
import { enrolNode, startPlane, temporaryDir } from '../../support/control-plane.ts';
import { manyTitlesSuite } from '../../support/many-titles.ts';
import { found, titlesFoundSuite } from '../../support/titles-found.ts';
import { until } from '../../support/until.ts';

t.setTimeout(180_000);

t.test('where the search server is away, search says so and the rest works', async (t) => {
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as { port: number };
  gone.close();
  const plane = await startPlane(t, { flags: ['--search-url', `http://127.0.0.1:${port}/nearcast`] });
  const { status, json } = await plane.call('GET /v1/search/titles?q=solaris');
  t.equal(status, 503);
  t.match(json, { code: 'STORE_UNAVAILABLE', detail: /cannot be reached.*--search-url/ });
  t.equal((await plane.call('GET /v1/titles')).status, 200);
});

const server = await startOpenSearch();
if (typeof server === 'string') {
  t.pass(`skipped: ${server}`, { skip: server });
} else {
  const { url, stop } = server;
  const run = `nearcast-test-${randomBytes(4).toString('hex')}`;
  t.teardown(async () => {
    await fetch(`${url}/${run}-*`, { method: 'DELETE' });
    await stop();
  });

  t.test('many titles', async (t) => {
    await manyTitlesSuite(t, await openSearch(`${url}/${run}-many`, { clock: createSystemClock() }));
  });

  t.test('titles are found by what somebody types, by viewers only when they are live', (t) =>
    titlesFoundSuite(t, ['--search-url', `${url}/${run}`]),
  );

  t.test('an index that is lost while it is used is made anew', async (t) => {
    const dataDir = await temporaryDir(t);
    const flags = ['--ingest-roots', dataDir, '--search-url', `${url}/${run}-lost`];
    const plane = await startPlane(t, { dataDir, flags });
    const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
    const { id } = await addTitle(plane, encoder, { name: 'Solaris' });
    const isThere = (): Promise<unknown> =>
      until(
        async () => (await plane.call('GET /v1/search/titles?q=solaris')).json,
        (answer) => (answer as { hits?: { id: string }[] }).hits?.[0]?.id === id,
      );
    await isThere();
    const { ok } = await fetch(`${url}/${run}-lost-titles-v1`, { method: 'DELETE' });
    t.ok(ok);
    await isThere();
    t.equal((await found(plane, 'q=solaris')).total, 1);
  });
}
