import type { Viewer } from '../../../common/contract/release.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { maySee, strictest } from './core/rights.ts';
import type { TitleRecord } from './records.ts';
import type { Titles } from './titles.ts';

/** Who may have which titles now. */
export interface Rights {
  /** Whether a viewer may have a title, ready to be played or not; a series or season as it is shown. False where there is none. */
  isAllowed(id: string, viewer: Viewer): boolean;
  /** Whether a viewer is shown a title: it may be had and is live, or holds something that is so; false where there is none. */
  isShown(id: string, viewer: Viewer): boolean;
  /** From what age on a title is fit to be seen, all that it is part of counting; undefined where nothing of it is rated. */
  maturityOf(id: string): number | undefined;
}

/** Tells rights by what is known of titles and of what they are part of. */
export function createRights(titles: Titles, clock: Pick<Clock, 'nowMs'>): Rights {
  const withParents = (title: TitleRecord): TitleRecord[] => {
    const { parentId } = title.details ?? {};
    return parentId === undefined ? [title] : [title, ...withParents(titles.get(parentId))];
  };
  const allows = (title: TitleRecord, viewer: Viewer): boolean => {
    const licensed = withParents(title).map(({ details }) => details ?? {});
    return maySee(licensed, viewer, clock.nowMs());
  };
  const shows = (title: TitleRecord, viewer: Viewer): boolean => {
    if (title.phase !== 'live' || !allows(title, viewer)) return false;
    return title.source.kind !== 'none' || titles.childrenOf(title.id).some((child) => shows(child, viewer));
  };
  const ofTitle =
    (judge: typeof allows) =>
    (id: string, viewer: Viewer): boolean => {
      const title = titles.find(id);
      return title !== undefined && judge(title, viewer);
    };
  return {
    // What holds nothing that a viewer is shown is not told of by its own name either.
    isAllowed: ofTitle((title, viewer) => (title.source.kind === 'none' ? shows : allows)(title, viewer)),
    isShown: ofTitle(shows),
    maturityOf(id) {
      const title = titles.find(id);
      return title && strictest(withParents(title).map(({ details }) => details ?? {}));
    },
  };
}
