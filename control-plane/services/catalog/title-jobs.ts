import { coded } from '../../../common/runtime/errors.ts';
import type { InTurn } from '../turns.ts';
import { captionsKey } from './caption-files.ts';
import type { BundleStore } from './bundle-store.ts';
import type { Departures } from './departures.ts';
import type { JobHolder, JobShelf } from './job-shelf.ts';
import { makingOf, withMade, withMaking } from './making.ts';
import { taggedTitle } from './metadata.ts';
import type { TitleRecord } from './records.ts';
import type { Titles } from './titles.ts';

const noticesMax = 40;

/** The jobs of titles' videos. `inTurn`: in turn with the removal of files. */
export function titleJobs(parts: {
  titles: Titles;
  bundles: BundleStore;
  departures: Pick<Departures, 'removals'>;
  inTurn: InTurn;
  sourceDone: (titleId: string) => void;
}): JobShelf {
  const { titles, bundles, departures, inTurn, sourceDone } = parts;
  return {
    makes: 'video',
    all: () => titles.all().map(holderOf),
    find: (id) => found(titles.find(id)),
    ofJob: (jobId) => found(titles.ofJob(jobId)),
    change: async (id, change) =>
      holderOf(await titles.change(id, (title) => withMaking(title, change(holderOf(title))))),
    has(id, bundle) {
      const title = titles.find(id);
      return title !== undefined && makingOf(title).bundle?.bundle === bundle;
    },
    async accept({ id, job: leased }, { bundle: name, tags, notices = [] }, onStep) {
      const { removals } = departures;
      const { bundle, files } = await bundles.verify(name, onStep);
      const { durationMs } = bundle;
      const renditions = bundle.video.map((one) => one.id);
      const put = async (): Promise<void> => {
        // Files that stood there already may have gone with what else was made of them.
        if (departures.removals !== removals) await bundles.verify(name, onStep);
        await titles.change(id, (title) => {
          const { job, notices: before } = makingOf(title);
          if (job === undefined || job.jobId !== leased?.jobId || job.leaseId !== leased.leaseId)
            throw coded(
              'LEASE_LOST',
              `${leased?.jobId ?? id}: ${title.name} was withdrawn, or is made of another`,
            );
          return taggedTitle(
            withMade(title, {
              job: { ...job, state: 'done' },
              ...allNotices(before, notices),
              bundle: { bundle: name, durationMs, renditions, files },
            }),
            tags,
          );
        });
      };
      return () => inTurn(put);
    },
    told({ id }) {
      const title = titles.get(id);
      const { captions = [] } = makingOf(title);
      const beside = captions.map(({ source: _, ...one }, at) => ({ key: captionsKey(id, at), ...one }));
      return { titleId: id, name: title.name, ...(beside.length > 0 && { captions: beside }) };
    },
    sourceDone,
  };
}

/** What was left out before the encode, and in it. */
function allNotices(before: readonly string[] = [], more: readonly string[]): Pick<TitleRecord, 'notices'> {
  const notices = [...before, ...more].slice(0, noticesMax);
  return notices.length > 0 ? { notices } : {};
}

function found(title: TitleRecord | undefined): JobHolder | undefined {
  return title && holderOf(title);
}

function holderOf(title: TitleRecord): JobHolder {
  const { phase, sourceSizeBytes, job, error } = makingOf(title);
  return { id: title.id, createdAtMs: title.createdAtMs, sourceSizeBytes, phase, job, error };
}
