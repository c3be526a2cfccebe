import type { TitleKind } from '../../common/contract/title-metadata.ts';
import { maySee, strictest, type Licensed, type Limits } from './rights.ts';

/** Titles as parts of one another, whatever they are kept as. */
export interface TitleFamily<T> {
  readonly find: (id: string) => T | undefined;
  /** What is part of a title, in the order of `byPlace`. */
  readonly childrenOf: (id: string) => readonly T[];
  readonly idOf: (title: T) => string;
  readonly kindOf: (title: T) => TitleKind;
  /** What a title is part of. */
  readonly parentIdOf: (title: T) => string | undefined;
  readonly numberOf: (title: T) => number | undefined;
  readonly licensedOf: (title: T) => Licensed;
  readonly isLive: (title: T) => boolean;
  /** Whether it is played itself; a series or season is not. */
  readonly hasVideo: (title: T) => boolean;
}

/** Who may have which titles now. */
export interface Rights {
  /** Whether a viewer may have a title, ready to be played or not; a series or season as it is shown. False where there is none. */
  isAllowed(id: string, viewer: Limits): boolean;
  /** Whether a viewer is shown a title: it may be had and is live, or holds something that is so; false where there is none. */
  isShown(id: string, viewer: Limits): boolean;
  /** From what age on a title is fit to be seen, all that it is part of counting; undefined where nothing of it is rated. */
  maturityOf(id: string): number | undefined;
}

/** Tells rights by what is known of titles and of what they are part of. Of what is part of something unknown nobody may have anything. */
export function rightsIn<T>(family: TitleFamily<T>, nowMs: () => number): Rights {
  const licensedOf = (title: T): Licensed[] | undefined => {
    const parentId = family.parentIdOf(title);
    if (parentId === undefined) return [family.licensedOf(title)];
    const parent = family.find(parentId);
    const above = parent && licensedOf(parent);
    return above && [family.licensedOf(title), ...above];
  };
  const allows = (title: T, viewer: Limits): boolean => {
    const licensed = licensedOf(title);
    return licensed !== undefined && maySee(licensed, viewer, nowMs());
  };
  const shows = (title: T, viewer: Limits): boolean => {
    if (!family.isLive(title) || !allows(title, viewer)) return false;
    return (
      family.hasVideo(title) || family.childrenOf(family.idOf(title)).some((child) => shows(child, viewer))
    );
  };
  const ofTitle =
    (judge: typeof allows) =>
    (id: string, viewer: Limits): boolean => {
      const title = family.find(id);
      return title !== undefined && judge(title, viewer);
    };
  return {
    // What holds nothing that a viewer is shown is not told of by its own name either.
    isAllowed: ofTitle((title, viewer) => (family.hasVideo(title) ? allows : shows)(title, viewer)),
    isShown: ofTitle(shows),
    maturityOf(id) {
      const title = family.find(id);
      return title && strictest(licensedOf(title) ?? []);
    },
  };
}

/** Where a title stands among those that are part of the same. */
interface Place {
  readonly id: string;
  readonly number?: number | undefined;
  readonly createdAtMs: number;
}

/** By number, what has none behind what has one; then the oldest first. */
export function byPlace(a: Place, b: Place): number {
  const { number: first = Number.MAX_SAFE_INTEGER } = a;
  const { number: second = Number.MAX_SAFE_INTEGER } = b;
  return first - second || a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1);
}
