import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { livenessOf, type Liveness } from '../../core/title-live.ts';
import type { CatalogOptions, Fleet } from './ports.ts';
import type { TitleRecord } from './records.ts';
import { catalogBundle, type Titles } from './titles.ts';

const reviewEveryMs = 1000;

export interface LiveReviewDependencies {
  readonly titles: Titles;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly log: Log;
  readonly options: Pick<CatalogOptions, 'liveCopiesMin'>;
}

/** Looks which titles have become live, and where. */
export async function reviewTitles(deps: LiveReviewDependencies): Promise<void> {
  const { titles, log } = deps;
  for (const title of titles.in('filling', 'live')) {
    const before = title.waitingSites ?? [];
    if (title.phase === 'live' && before.length === 0) continue;
    const { isLive, waitingSites: waiting } = liveness(title, deps);
    if (!isLive) continue;
    // A site that has been live stays so.
    const left = title.phase === 'live' ? before.filter((site) => waiting.includes(site)) : [...waiting];
    if (title.phase === 'live' && left.length === before.length) continue;
    await titles.change(title.id, ({ waitingSites: _before, ...current }) => ({
      ...current,
      phase: 'live',
      ...(left.length > 0 && { waitingSites: left }),
    }));
    log.info({ titleId: title.id, waitingSites: left }, 'title live');
  }
}

/** Does so again and again until the signal. */
export async function reviewLoop(deps: LiveReviewDependencies, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await reviewTitles(deps).catch((error: unknown) => {
      deps.log.error({ err: error }, 'titles could not be made live');
    });
    await deps.clock.sleep(reviewEveryMs, { signal }).catch(() => undefined);
  }
}

function liveness(title: TitleRecord, { fleet, options }: LiveReviewDependencies): Liveness {
  const bundle = catalogBundle(title);
  if (bundle === undefined) return { isLive: false, waitingSites: [] };
  return livenessOf({
    holders: fleet.holdersOf(bundle),
    wanting: fleet.clustersWanting(bundle),
    appliancesExist: fleet.appliancesExist(),
    copiesMin: options.liveCopiesMin,
  });
}
