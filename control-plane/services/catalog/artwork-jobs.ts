import { assert } from '../../../common/runtime/errors.ts';
import type { ArtworkShelf } from './artwork-shelf.ts';
import type { InTurn } from '../turns.ts';
import type { BundleStore } from './bundle-store.ts';
import type { Departures } from './departures.ts';
import type { JobShelf } from './job-shelf.ts';
import type { Titles } from './titles.ts';

/** The jobs of pictures. `made`: called when one is; `inTurn`: in turn with the removal of files. */
export function artworkJobs(parts: {
  shelf: ArtworkShelf;
  titles: Titles;
  bundles: BundleStore;
  departures: Pick<Departures, 'removals'>;
  inTurn: InTurn;
  made: (artworkId: string) => Promise<void>;
  sourceDone: (artworkId: string) => void;
}): JobShelf {
  const { shelf, titles, bundles, departures, inTurn, made, sourceDone } = parts;
  return {
    makes: 'picture',
    all: () => shelf.all(),
    find: (id) => shelf.find(id),
    ofJob: (jobId) => shelf.ofJob(jobId),
    change: (id, change) => shelf.change(id, (artwork) => ({ ...artwork, ...change(artwork) })),
    has: (id, bundle) => shelf.find(id)?.bundle?.bundle === bundle,
    async accept({ id }, { bundle: name }, onStep) {
      const { removals } = departures;
      const { bundle, sizeBytes } = await bundles.verifyArtwork(name, id, onStep);
      const put = async (): Promise<void> => {
        // Two pictures may have a size in common, and one may have gone since.
        if (departures.removals !== removals) await bundles.verifyArtwork(name, id, onStep);
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
      return () => inTurn(put);
    },
    told({ id }) {
      const { titleId, kind } = shelf.get(id);
      return { titleId, name: titles.get(titleId).name, picture: { artwork: id, kind } };
    },
    sourceDone,
  };
}
