import type { TitleListQuery } from '../../../common/contract/titles.ts';
import type { TitleRecord } from './records.ts';
import { titleState } from './title-view.ts';
import type { TitlePlace, Titles } from './titles.ts';

/** Which titles a page is to have. */
export type TitlePageQuery = Pick<TitleListQuery, 'after' | 'limit' | 'name' | 'state'>;

/** A page of the titles that are shown, oldest first; `next` is there where something comes behind it. */
export function titlePage(
  titles: Pick<Titles, 'behind'>,
  { after, limit, name, state }: TitlePageQuery,
  isShown: (title: TitleRecord) => boolean,
): { titles: TitleRecord[]; next?: string } {
  const wanted = name?.toLowerCase();
  const page: TitleRecord[] = [];
  for (const title of titles.behind(placeOf(after))) {
    if (wanted !== undefined && title.name.toLowerCase() !== wanted) continue;
    if ((state !== undefined && titleState(title) !== state) || !isShown(title)) continue;
    const last = page.at(-1);
    if (last !== undefined && page.length === limit) return { titles: page, next: cursorOf(last) };
    page.push(title);
  }
  return { titles: page };
}

// It names the place and not the title there, which who pages may not be shown any more.
function cursorOf({ createdAtMs, id }: TitlePlace): string {
  return `${createdAtMs}-${id}`;
}

function placeOf(cursor: string | undefined): TitlePlace | undefined {
  if (cursor === undefined) return undefined;
  const dash = cursor.indexOf('-');
  return { createdAtMs: Number(cursor.slice(0, dash)), id: cursor.slice(dash + 1) };
}
