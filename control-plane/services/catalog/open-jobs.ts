import { artworkJobs } from './artwork-jobs.ts';
import type { ArtworkShelf } from './artwork-shelf.ts';
import { TitleArtwork, type ArtworkDependencies } from './artwork.ts';
import type { InTurn } from '../turns.ts';
import type { BundleStore } from './bundle-store.ts';
import type { Departures } from './departures.ts';
import { EncodeQueue, type EncodeQueueDependencies } from './encode-queue.ts';
import { titleJobs } from './title-jobs.ts';
import type { Titles } from './titles.ts';
import type { Uploads } from './uploads.ts';

type Dependencies = Pick<ArtworkDependencies, 'blobs' | 'fleet'> & Omit<EncodeQueueDependencies, 'shelves'>;

/** Opens the jobs of all that is encoded, and the pictures that are some of it. `titleDone`: a title's source is needed no more. */
export function openJobs(
  deps: Dependencies,
  of: {
    titles: Titles;
    uploads: Uploads;
    shelf: ArtworkShelf;
    bundles: BundleStore;
    departures: Departures;
    inTurn: InTurn;
    titleDone: (titleId: string) => void;
    artworkDone: (artworkId: string) => void;
  },
): { jobs: EncodeQueue; artwork: TitleArtwork } {
  const { titles, bundles, shelf, departures, inTurn, titleDone, artworkDone } = of;
  const artwork = new TitleArtwork({
    ...{ ...deps, titles, shelf, departures, uploads: of.uploads },
    queued: (id) => {
      jobs.add(id);
    },
    forgotten: (id) => {
      jobs.forget(id);
    },
  });
  const made = (id: string): Promise<void> => artwork.replaceBy(id);
  const shelves = [
    titleJobs({ titles, bundles, departures, inTurn, sourceDone: titleDone }),
    artworkJobs({ shelf, titles, bundles, departures, inTurn, made, sourceDone: artworkDone }),
  ];
  const jobs = new EncodeQueue({ ...deps, shelves });
  return { jobs, artwork };
}
