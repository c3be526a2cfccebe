import type { TitleRecord } from './records.ts';
import { kindOf, type Titles } from './titles.ts';

/**
 * The episode that comes after another, passing over those that are not shown: by number in its season, else the first of the seasons
 * behind it. Specials (season 0) lead into no other season.
 */
export function nextEpisode(
  title: TitleRecord,
  titles: Titles,
  isShown: (title: TitleRecord) => boolean,
): TitleRecord | undefined {
  const { parentId } = title.details ?? {};
  if (parentId === undefined || kindOf(title) !== 'episode') return undefined;
  const isNext = (one: TitleRecord): boolean => kindOf(one) === 'episode' && isShown(one);
  const next = siblingsAfter(title, parentId, titles).find(isNext);
  const parent = titles.get(parentId);
  const seriesId = parent.details?.parentId;
  if (next !== undefined || seriesId === undefined || parent.details?.number === 0) return next;
  const seasons = siblingsAfter(parent, seriesId, titles).filter((one) => kindOf(one) === 'season');
  return seasons.flatMap(({ id }) => titles.childrenOf(id)).find(isNext);
}

function siblingsAfter({ id }: TitleRecord, parentId: string, titles: Titles): TitleRecord[] {
  const siblings = titles.childrenOf(parentId);
  return siblings.slice(siblings.findIndex((one) => one.id === id) + 1);
}
