import type { TitleFamily } from './title-rights.ts';

/**
 * The episode that comes after another, passing over those that are not shown: by number in its season, else the first of the seasons
 * behind it. Specials (season 0) lead into no other season.
 */
export function nextEpisode<T>(
  title: T,
  family: TitleFamily<T>,
  isShown: (title: T) => boolean,
): T | undefined {
  const { kindOf, parentIdOf } = family;
  const parentId = parentIdOf(title);
  if (parentId === undefined || kindOf(title) !== 'episode') return undefined;
  const isNext = (one: T): boolean => kindOf(one) === 'episode' && isShown(one);
  const next = siblingsAfter(title, parentId, family).find(isNext);
  const parent = family.find(parentId);
  const seriesId = parent && parentIdOf(parent);
  if (next !== undefined || parent === undefined || seriesId === undefined || family.numberOf(parent) === 0)
    return next;
  const seasons = siblingsAfter(parent, seriesId, family).filter((one) => kindOf(one) === 'season');
  return seasons.flatMap((one) => family.childrenOf(family.idOf(one))).find(isNext);
}

function siblingsAfter<T>(title: T, parentId: string, { childrenOf, idOf }: TitleFamily<T>): T[] {
  const siblings = childrenOf(parentId);
  return siblings.slice(siblings.findIndex((one) => idOf(one) === idOf(title)) + 1);
}
