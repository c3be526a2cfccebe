import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

import { openLab } from '../../support/events-lab.ts';
import { fileNamed } from '../../support/sample-bundle.ts';

const popular = fileNamed('popular');
const rare = fileNamed('rare');

t.test('sessions tell what a site wants, whoever serves them, and over restarts', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'nearcast-sessions-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const lab = await openLab(t, { directory, still: true });
  t.equal(lab.popularity.popularityAt('isp-a').sessions, undefined, 'nothing is known');
  for (let session = 0; session < 40; session++) {
    await lab.service.noteSession({ bundle: popular, site: 'isp-a', region: 'DE' });
    if (session % 20 === 0) await lab.service.noteSession({ bundle: rare });
  }
  await lab.flush();
  const expected = ({ popularity }: typeof lab, bundle: string): number =>
    popularity.popularityAt('isp-a').sessions?.(bundle, undefined) ?? 0;
  t.ok(expected(lab, popular) > 5 * expected(lab, rare));
  t.equal(lab.popularity.popularityAt('isp-b').sessions, undefined, 'a site that none came from');
  const before = expected(lab, popular);
  await lab.close();
  const again = await openLab(t, { directory, clock: lab.clock, still: true });
  t.ok(Math.abs(expected(again, popular) / before - 1) < 1e-4, 'each counts once');
  for (const [site, region] of [
    ['new-de', 'DE'],
    ['new-fr', 'FR'],
  ] as const)
    await again.service.noteSession({ bundle: rare, site, region });
  await again.flush();
  const [german, french] = ['new-de', 'new-fr'].map(
    (site) => again.popularity.popularityAt(site).sessions?.(popular, undefined) ?? 0,
  );
  t.ok(german! > 1.2 * french!, 'a country is known over restarts, by its other sites');
  await again.service.noteSession({ bundle: rare, site: 'isp-a' });
  await again.flush();
  t.ok(expected(again, rare) > 0);
});
