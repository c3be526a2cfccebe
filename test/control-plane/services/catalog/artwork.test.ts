import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { writeBlobBytes } from '../../../../common/adapters/blobs/bytes.ts';
import type { ArtworkKind } from '../../../../common/contract/artwork.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { makePicture } from '../../../encoder/support/pictures.ts';
import { openCatalogLab, type CatalogLab } from '../../support/catalog-lab.ts';
import { publishFile } from '../../support/publish-bundle.ts';

interface ArtworkLab extends CatalogLab {
  readonly root: string;
  readonly titleId: string;
  /** Gives the title a picture by a file of its own; gives its id. */
  readonly set: (kind: ArtworkKind, size: string) => Promise<string>;
  /** Leases its job and completes it as an encoder does; gives the bundle. */
  readonly make: () => Promise<string>;
}

async function openArtworkLab(t: Test, clock = createManualClock()): Promise<ArtworkLab> {
  const root = t.testdir({ 'film.mkv': 'a film' });
  const lab = await openCatalogLab(t, { clock, options: { ingestRoots: [root] } });
  const { catalog, blobs } = lab;
  const { id: titleId } = await catalog.createTitle({ name: 'Film', path: join(root, 'film.mkv') });
  await catalog.settled();
  return {
    ...{ ...lab, root, titleId },
    async set(kind, size) {
      const path = join(root, `${kind}-${size}.png`);
      await writeFile(path, await makePicture('png', { size }));
      return (await catalog.artwork.set(titleId, { kind, path })).view.id;
    },
    async make() {
      const job = await catalog.jobs.lease('encoder', { waitMs: 0, makes: ['picture'] });
      const artwork = job?.picture?.artwork ?? '';
      const bytes = Buffer.from(`a picture of ${artwork}`);
      const file = await publishFile(blobs, bytes);
      const files = [{ file, ext: 'jpg', sizeBytes: bytes.length, width: 64, height: 96 }];
      const bundle = await publishFile(blobs, Buffer.from(JSON.stringify({ version: 1, artwork, files })));
      const by = { jobId: job?.jobId ?? '', worker: 'encoder' };
      await catalog.jobs.complete(by, { leaseId: job?.leaseId ?? '', bundle });
      return bundle;
    },
  };
}

t.test('a picture is refused everywhere before it is removed: what failed is repeated', async (t) => {
  const { catalog, titleId, set, make } = await openArtworkLab(t);
  const id = await set('poster', '64x96');
  const bundle = await make();
  const refused: string[] = [];
  await t.rejects(catalog.artwork.remove(titleId, id, () => Promise.reject(new Error('the disk is full'))));
  t.match(catalog.artwork.views(titleId), [{ id, state: 'live' }], 'it can be removed again');
  await catalog.artwork.remove(titleId, id, async (one) => refused.push(one));
  t.same(refused, [bundle]);
  t.same(catalog.artwork.views(titleId), []);
});

t.test('a withdrawal gives the bundles of its pictures, and waits for no blobs', async (t) => {
  const { catalog, titleId, set, make, directory } = await openArtworkLab(t);
  await set('poster', '64x96');
  const bundle = await make();
  await set('backdrop', '96x64');
  await catalog.settled();
  // The sources cannot be reached.
  const sources = join(directory, 'blobs', 'sources');
  await rename(sources, `${sources}-away`);
  await writeFile(sources, 'no directory');
  t.same(await catalog.withdraw(titleId), [bundle]);
  t.same(catalog.artwork.views(titleId), []);
  await t.rejects(set('logo', '64x64'), { code: 'CONFLICT' });
  await catalog.settled();
  await rm(sources);
  await mkdir(sources);
});

t.test('a picture takes the place of one that a clock ahead has dated to come', async (t) => {
  const clock = createManualClock();
  const { catalog, titleId, set, make } = await openArtworkLab(t, clock);
  await set('poster', '64x96');
  await make();
  clock.jumpWall(-86_400_000);
  const id = await set('poster', '32x48');
  await make();
  t.match(catalog.artwork.views(titleId), [{ id, state: 'live' }]);
  t.equal(catalog.artwork.views(titleId).length, 1);
});

t.test('sources of pictures that never came to be go at the next start', async (t) => {
  const { blobs, directory, set, close } = await openArtworkLab(t);
  const id = await set('poster', '64x96');
  await writeBlobBytes({ blobs, key: 'sources/artwork_0000000000000000' }, Buffer.from('left by a crash'));
  await close();
  const later = await openCatalogLab(t, { directory });
  await later.close();
  const left = await later.blobs.list('sources/artwork_');
  t.same(
    left.map(({ key }) => key),
    [`sources/${id}`],
  );
});
