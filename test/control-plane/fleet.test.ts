import t from 'tap';

import { filledBundles } from '../../control-plane/fleet.ts';
import type { CatalogBundle } from '../../control-plane/services/catalog/ports.ts';
import { fileNamed } from './support/sample-bundle.ts';

function bundleOf(name: string, ext: string): CatalogBundle {
  const files = [{ file: fileNamed(name), ext, sizeBytes: 10 }];
  const flags = { pinned: false, urgent: false };
  return { titleId: 'title', name: 'A film', ...flags, bundle: fileNamed(name), files, sizeBytes: 10 };
}

t.test('fill plans titles, and their pictures as pictures', async (t) => {
  const filled = filledBundles({
    bundles: () => [bundleOf('film', 'mp4'), { ...bundleOf('film', 'mp4'), pinned: true }],
    artwork: { bundles: () => [bundleOf('poster', 'jpg')] },
  });
  t.match(filled, [
    { bundle: fileNamed('film'), pinned: true, isPicture: undefined },
    { bundle: fileNamed('poster'), pinned: false, isPicture: true },
  ]);
  t.equal(filled.length, 2);
});
