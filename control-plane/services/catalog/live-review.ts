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

/**
 * Looks which titles have become live, and where; which are played of their new videos now, and which old ones of nowhere any more.
 * Before a title is live anywhere, steering's nodes hold the map that says which boxes have it: else the first viewers
 * would be sent to the origin, and stay there. One that does not take maps holds it up for seconds, and not for good.
 */
export async function reviewTitles(deps: LiveReviewDependencies): Promise<void> {
  const { titles, log } = deps;
  const due = titles.in('filling', 'live').filter((title) => isDue(title, deps));
  if (due.length > 0) {
    const { steering, behind } = await deps.fleet.mapReached();
    if (behind > 0) log.warn({ steering, behind }, 'titles go live though steering nodes hold an older map');
  }
  for (const { id } of due) {
    await reviewTitle(deps, titles.find(id));
    await reviewReplacement(deps, titles.find(id));
  }
  for (const title of titles.in('filling', 'live')) await letGo(deps, title);
}

function isDue(title: TitleRecord, deps: LiveReviewDependencies): boolean {
  return sitesLeft(title, deps) !== undefined || replacementLiveness(title, deps) !== undefined;
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

async function reviewTitle(deps: LiveReviewDependencies, title: TitleRecord | undefined): Promise<void> {
  const { titles, log } = deps;
  const left = title && sitesLeft(title, deps);
  if (title === undefined || left === undefined) return;
  const name = title.bundle?.bundle;
  await titles.change(title.id, (current) => {
    // It was withdrawn, or is made anew.
    if (current.phase !== title.phase || current.bundle?.bundle !== name) return current;
    const { waitingSites: _before, ...rest } = current;
    return { ...rest, phase: 'live', ...(left.length > 0 && { waitingSites: left }) };
  });
  log.info({ titleId: title.id, waitingSites: left }, 'title live');
}

/** The sites at which a title that is live now, or at more sites than before, is not live yet; undefined where nothing has changed. */
function sitesLeft(title: TitleRecord, deps: LiveReviewDependencies): string[] | undefined {
  const before = title.waitingSites ?? [];
  if (title.phase === 'live' && before.length === 0) return undefined;
  const { isLive, waitingSites: waiting } = liveness(catalogBundle(title), deps);
  if (!isLive) return undefined;
  if (title.phase !== 'live') return [...waiting];
  // A site that has been live stays so.
  const left = before.filter((site) => waiting.includes(site));
  return left.length === before.length ? undefined : left;
}

/** Switches a title to its new video where that has become live. */
async function reviewReplacement(
  deps: LiveReviewDependencies,
  title: TitleRecord | undefined,
): Promise<void> {
  const { titles, log } = deps;
  const live = title && replacementLiveness(title, deps);
  if (title === undefined || live === undefined) return;
  const name = title.replacement?.bundle?.bundle;
  const { waitingSites } = live;
  await titles.change(title.id, (current) => {
    const isSame = current.replacement?.bundle?.bundle === name && isOnAir(current);
    return isSame ? switched(current, waitingSites) : current;
  });
  log.info({ titleId: title.id, bundle: name, waitingSites }, 'title live with another video');
}

/** Where the new video of a title is live; undefined where there is none, or it is live nowhere. */
function replacementLiveness(title: TitleRecord, deps: LiveReviewDependencies): Liveness | undefined {
  const { replacement } = title;
  if (replacement?.phase !== 'filling' || replacement.bundle === undefined) return undefined;
  const found = liveness(madeOf(title, replacement.bundle), deps);
  return found.isLive ? found : undefined;
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
