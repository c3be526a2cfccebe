import { releaseCaptions } from './caption-files.ts';
import type { Departures } from './departures.ts';
import type { EncodeQueue } from './encode-queue.ts';
import { departureOf } from './live-review.ts';
import { bundlesOf } from './making.ts';
import type { TitleRecord } from './records.ts';
import type { TitleBundles } from './title-bundles.ts';
import type { Titles } from './titles.ts';
import type { Uploads } from './uploads.ts';

/**
 * Takes a title out of all plans and maps with all that it was made of before and is being made of. Gives the bundles that go with its own.
 * It waits for no blobs. Errors: TITLE_UNKNOWN.
 */
export async function withdrawTitle(
  titleId: string,
  deps: {
    titles: Titles;
    bundles: Pick<TitleBundles, 'elsewhere'>;
    departures: Departures;
    jobs: EncodeQueue;
    uploads: Uploads;
  },
): Promise<string[]> {
  const { titles, bundles, departures, jobs, uploads } = deps;
  // Before they are let go of: what is removed from blobs is found there.
  await leave(titles.get(titleId), departures);
  const taken: TitleRecord[] = [];
  await titles.change(titleId, (title) => {
    taken.push(title);
    const { replacement, former: _former, ...kept } = title;
    const sourceStored = kept.sourceStored || replacement?.sourceStored === true;
    // By them its files in blobs are found, which are removed with its source.
    const captions = [kept.captions ?? [], replacement?.captions ?? []].sort(
      (a, b) => b.length - a.length,
    )[0];
    return {
      ...{ ...kept, phase: 'withdrawn', sourceStored },
      ...(captions !== undefined && captions.length > 0 && { captions }),
    };
  });
  const others: string[] = [];
  for (const title of taken) {
    // What was made meanwhile leaves too.
    await leave(title, departures);
    others.push(...bundlesOf(title).map(({ bundle }) => bundle));
    const { replacement } = title;
    if (replacement?.phase !== 'storing') continue;
    if (replacement.source.kind === 'upload') await uploads.release(replacement.source.uploadId);
    await releaseCaptions(uploads, replacement.captions);
  }
  jobs.forget(titleId);
  const leaving = departures.held('title', titleId).map(({ bundle }) => bundle);
  // What another title is made of is played on.
  const twins = bundles.elsewhere(titleId);
  const gone = new Set([...others, ...leaving].filter((bundle) => !twins.has(bundle)));
  await departures.release(gone);
  return [...gone];
}

async function leave(title: TitleRecord, departures: Departures): Promise<void> {
  for (const bundle of bundlesOf(title))
    if (bundle.bundle !== title.bundle?.bundle) await departures.note(departureOf(title, bundle, 0));
}
