import { assert } from '../../../common/runtime/errors.ts';
import type { BundleStore } from './bundle-store.ts';
import type { JobShelf } from './job-shelf.ts';
import { taggedTitle } from './metadata.ts';
import type { TitleRecord } from './records.ts';
import type { Titles } from './titles.ts';

/** The jobs of titles' videos. */
export function titleJobs(parts: {
  titles: Titles;
  bundles: BundleStore;
  sourceDone: (titleId: string) => void;
}): JobShelf {
  const { titles, bundles, sourceDone } = parts;
  return {
    makes: 'video',
    all: () => titles.all(),
    find: (id) => titles.find(id),
    ofJob: (jobId) => titles.ofJob(jobId),
    change: (id, change) => titles.change(id, (title) => ({ ...title, ...change(title) })),
    has: (id, bundle) => titles.find(id)?.bundle?.bundle === bundle,
    async accept({ id }, { bundle: name, tags }, onStep) {
      const { bundle, files } = await bundles.verify(name, onStep);
      const { durationMs } = bundle;
      const renditions = bundle.video.map((one) => one.id);
      return async () => {
        await titles.change(id, (current) => {
          assert(current.job !== undefined, `title ${id} has no job`);
          return {
            ...taggedTitle(withoutError(current), tags),
            phase: 'filling',
            job: { ...current.job, state: 'done' },
            bundle: { bundle: name, durationMs, renditions, files },
          };
        });
      };
    },
    told: ({ id }) => ({ titleId: id, name: titles.get(id).name }),
    sourceDone,
  };
}

function withoutError({ error: _, ...title }: TitleRecord): TitleRecord {
  return title;
}
