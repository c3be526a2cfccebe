import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { livenessOf, type Liveness } from '../../core/title-live.ts';
import { videoHeldMs, type Departures } from './departures.ts';
import { formerSites, isOnAir, switched, withoutFormer } from './making.ts';
import type { CatalogBundle, CatalogOptions, Fleet } from './ports.ts';
import type { TitleBundle, TitleRecord } from './records.ts';
import { catalogBundle, madeOf } from './title-bundles.ts';
import type { Titles } from './titles.ts';

const reviewEveryMs = 1000;

export interface LiveReviewDependencies {
  readonly titles: Titles;
  readonly departures: Pick<Departures, 'note'>;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly log: Log;
  readonly options: Pick<CatalogOptions, 'liveCopiesMin'>;
}

/** Looks which titles have become live, and where; which are played of their new videos now, and which old ones of nowhere any more. */
export async function reviewTitles(deps: LiveReviewDependencies): Promise<void> {
  for (const { id } of deps.titles.in('filling', 'live')) {
    await reviewTitle(deps, deps.titles.get(id));
    await reviewReplacement(deps, deps.titles.get(id));
    await letGo(deps, deps.titles.get(id));
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

async function reviewTitle(deps: LiveReviewDependencies, title: TitleRecord): Promise<void> {
  const { titles, log } = deps;
  const before = title.waitingSites ?? [];
  const name = title.bundle?.bundle;
  if (title.phase === 'live' && before.length === 0) return;
  const { isLive, waitingSites: waiting } = liveness(catalogBundle(title), deps);
  if (!isLive) return;
  // A site that has been live stays so.
  const left = title.phase === 'live' ? before.filter((site) => waiting.includes(site)) : [...waiting];
  if (title.phase === 'live' && left.length === before.length) return;
  await titles.change(title.id, (current) => {
    // It was withdrawn, or is made anew.
    if (current.phase !== title.phase || current.bundle?.bundle !== name) return current;
    const { waitingSites: _before, ...rest } = current;
    return { ...rest, phase: 'live', ...(left.length > 0 && { waitingSites: left }) };
  });
  log.info({ titleId: title.id, waitingSites: left }, 'title live');
}

/** Switches a title to its new video where that has become live. */
async function reviewReplacement(deps: LiveReviewDependencies, title: TitleRecord): Promise<void> {
  const { titles, log } = deps;
  const { replacement } = title;
  const name = replacement?.bundle?.bundle;
  if (replacement?.phase !== 'filling' || replacement.bundle === undefined) return;
  const { isLive, waitingSites } = liveness(madeOf(title, replacement.bundle), deps);
  if (!isLive) return;
  await titles.change(title.id, (current) => {
    const isSame = current.replacement?.bundle?.bundle === name && isOnAir(current);
    return isSame ? switched(current, waitingSites) : current;
  });
  log.info({ titleId: title.id, bundle: name, waitingSites }, 'title live with another video');
}

/** Lets go of videos of before that no site plays any more: boxes hold them until the last session could end. */
async function letGo(deps: LiveReviewDependencies, title: TitleRecord): Promise<void> {
  const { titles, departures, log } = deps;
  const gone = formerSites(title).filter(({ sites }) => sites.length === 0);
  if (gone.length === 0) return;
  for (const { bundle } of gone) await departures.note(departureOf(title, bundle, videoHeldMs(bundle)));
  const names = new Set(gone.map(({ bundle }) => bundle.bundle));
  await titles.change(title.id, (current) => withoutFormer(current, names));
  log.info(
    { titleId: title.id, bundles: [...names] },
    'a title is played of earlier videos nowhere any more',
  );
}

/** A video of a title, to be let go of. */
export function departureOf(
  { id, name, pinned }: TitleRecord,
  { bundle, files }: TitleBundle,
  heldMs: number,
): Parameters<Departures['note']>[0] {
  return { titleId: id, name, of: 'title', bundle, files: [...files], pinned, heldMs };
}

function liveness(
  bundle: CatalogBundle | undefined,
  { fleet, options }: Pick<LiveReviewDependencies, 'fleet' | 'options'>,
): Liveness {
  if (bundle === undefined) return { isLive: false, waitingSites: [] };
  return livenessOf({
    holders: fleet.holdersOf(bundle),
    wanting: fleet.clustersWanting(bundle),
    appliancesExist: fleet.appliancesExist(),
    copiesMin: options.liveCopiesMin,
  });
}
