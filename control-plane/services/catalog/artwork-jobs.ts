import { assert } from '../../../common/runtime/errors.ts';
import type { ArtworkShelf } from './artwork-shelf.ts';
import type { BundleStore } from './bundle-store.ts';
import type { JobShelf } from './job-shelf.ts';
import type { Titles } from './titles.ts';

/** The jobs of pictures. `made`: called when one is. */
export function artworkJobs(parts: {
  shelf: ArtworkShelf;
  titles: Titles;
  bundles: BundleStore;
  made: (artworkId: string) => Promise<void>;
  sourceDone: (artworkId: string) => void;
}): JobShelf {
  const { shelf, titles, bundles, made, sourceDone } = parts;
  return {
    makes: 'picture',
    all: () => shelf.all(),
    find: (id) => shelf.find(id),
    ofJob: (jobId) => shelf.ofJob(jobId),
    change: (id, change) => shelf.change(id, (artwork) => ({ ...artwork, ...change(artwork) })),
    has: (id, bundle) => shelf.find(id)?.bundle?.bundle === bundle,
    async accept({ id }, { bundle: name }, onStep) {
      const { bundle, sizeBytes } = await bundles.verifyArtwork(name, id, onStep);
      return async () => {
        await shelf.change(id, ({ error: _, ...current }) => {
          assert(current.job !== undefined, `artwork ${id} has no job`);
          return {
            ...current,
            phase: 'made',
            job: { ...current.job, state: 'done' },
            bundle: { bundle: name, sizeBytes, files: bundle.files },
          };
        });
        await made(id);
      };
    },
    told({ id }) {
      const { titleId, kind } = shelf.get(id);
      return { titleId, name: titles.get(titleId).name, picture: { artwork: id, kind } };
    },
    sourceDone,
  };
}
