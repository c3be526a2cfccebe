import type { Bundle } from '../../../common/contract/bundle.ts';
import type { Viewer } from '../../../common/contract/release.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { nextEpisode } from '../../core/next-episode.ts';
import type { Rights, TitleFamily } from '../../core/title-rights.ts';
import { bundleAt, isOnAir } from './making.ts';
import type { CatalogBundle } from './ports.ts';
import type { TitleRecord } from './records.ts';
import { madeOf } from './title-bundles.ts';
import { nameIn, titleState } from './title-view.ts';
import type { Titles } from './titles.ts';

/** A title that may be played, with all that its manifests are made of. */
export interface PlayableTitle {
  readonly titleId: string;
  readonly name: string;
  readonly bundleName: string;
  readonly bundle: Bundle;
  /** The bundle's file and every file in it. */
  readonly catalogBundle: CatalogBundle;
  /** Of an episode: the one that comes after it, if it can be played too. */
  readonly next?: { readonly titleId: string; readonly name: string };
}

/** Who plays a title, where, and in which languages it is named. */
export interface PlayableBy {
  readonly site?: string | undefined;
  readonly viewer?: Viewer | undefined;
  readonly languages?: readonly string[] | undefined;
}

/**
 * A title as it is played at a site: of the newest video that the site does not wait for. Errors: TITLE_UNKNOWN (also for what the viewer
 * may not have), TITLE_NOT_LIVE, BUNDLE_INVALID.
 */
export async function playableTitle(
  titleId: string,
  { site, viewer, languages = [] }: PlayableBy,
  parts: {
    readonly titles: Titles;
    readonly family: TitleFamily<TitleRecord>;
    readonly rights: Rights;
    readonly bundleOf: (name: string) => Promise<Bundle>;
  },
): Promise<PlayableTitle> {
  const { titles, family, rights, bundleOf } = parts;
  if (viewer !== undefined && !rights.isAllowed(titleId, viewer)) throw coded('TITLE_UNKNOWN', titleId);
  const title = titles.get(titleId);
  if (title.source.kind === 'none')
    throw coded('TITLE_NOT_LIVE', `${title.name} has no video of its own; play what is in it`);
  if (!isOnAir(title))
    throw coded('TITLE_NOT_LIVE', `${title.name} is ${titleState(title)}; see the title for its progress`);
  const played = bundleAt(title, site);
  if (played === undefined)
    throw coded(
      'TITLE_NOT_LIVE',
      `${title.name} is not live at ${site ?? ''} yet: too few copies stand there`,
    );
  const catalogBundle = madeOf(title, played);
  const bundle = await bundleOf(played.bundle);
  const next = nextEpisode(title, family, ({ id, phase }) =>
    viewer === undefined ? phase === 'live' : rights.isShown(id, viewer),
  );
  return {
    ...{ titleId, name: nameIn(title, languages), bundleName: played.bundle, bundle, catalogBundle },
    ...(next !== undefined && { next: { titleId: next.id, name: nameIn(next, languages) } }),
  };
}
