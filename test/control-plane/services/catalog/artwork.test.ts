import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { writeBlobBytes } from '../../../../common/adapters/blobs/bytes.ts';
import type { ArtworkKind } from '../../../../common/contract/artwork.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { makePicture } from '../../../encoder/support/pictures.ts';
import { call } from '../../support/call.ts';
import { openCatalogLab, type CatalogLab } from '../../support/catalog-lab.ts';
import { asRole } from '../../support/fake-credentials.ts';
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

t.test(
  'a replaced picture is held for as long as links to it are good, then goes from the blobs',
  async (t) => {
    const clock = createManualClock();
    const { catalog, blobs, titleId, set, make } = await openArtworkLab(t, clock);
    const names = () => catalog.artwork.bundles().map(({ bundle }) => bundle);
    const files = new Map<string, readonly string[]>();
    await set('poster', '64x96');
    const first = await make();
    for (const one of catalog.artwork.bundles())
      files.set(
        one.bundle,
        one.files.map(({ file }) => file),
      );
    await set('poster', '32x48');
    const second = await make();
    t.same(names(), [second, first]);
    t.match(catalog.artwork.picked(titleId, { languages: [] }), [{ bundle: { bundle: second } }]);
    t.equal(catalog.artwork.views(titleId).length, 1);
    clock.jumpWall(24.9 * 3_600_000);
    await catalog.sweep();
    t.same(names(), [second, first]);
    clock.jumpWall(0.2 * 3_600_000);
    await catalog.sweep();
    t.same(names(), [second]);
    clock.jumpWall(3_600_000);
    await catalog.sweep();
    for (const file of files.get(first) ?? []) t.equal(await blobs.stat(`files/${file}`), undefined);
    t.ok(await blobs.stat(`files/${second}`));
  },
);

t.test('a withdrawal takes replaced pictures too, and a removed one is held by nobody', async (t) => {
  const clock = createManualClock();
  const { catalog, blobs, titleId, set, make } = await openArtworkLab(t, clock);
  await set('poster', '64x96');
  const first = await make();
  await set('poster', '32x48');
  const second = await make();
  const removed = await set('logo', '64x64');
  const third = await make();
  await catalog.artwork.remove(titleId, removed, () => Promise.resolve());
  t.same(
    catalog.artwork.bundlesOf(titleId).map(({ bundle }) => bundle),
    [second, first],
  );
  t.same(new Set(await catalog.withdraw(titleId)), new Set([first, second]));
  t.same(catalog.artwork.bundles(), []);
  clock.jumpWall(1.1 * 3_600_000);
  await catalog.sweep();
  for (const bundle of [first, second, third]) t.equal(await blobs.stat(`files/${bundle}`), undefined);
});

t.test('a kind of picture that there is not is refused, with those that there are', async (t) => {
  const { url } = await openCatalogLab(t);
  const headers = asRole('operator');
  for (const route of ['titles?artwork=', 'artwork?titles=x&artwork=']) {
    t.match(await call(`${url}/v1/${route}poster,still`, { headers }), { status: 200 });
    for (const wrong of ['postr', 'poster,', 'poster,banner'])
      t.match(await call(`${url}/v1/${route}${wrong}`, { headers }), {
        ...{ status: 400, body: { code: 'INVALID', detail: /poster\|backdrop\|logo\|still/ } },
      });
  }
});
