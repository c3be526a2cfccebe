import { ObjectId } from '../common/contract/primitives.ts';
import { TitleList, TitleView, type TitleState } from '../common/contract/titles.ts';
import { coded, isCoded } from '../common/runtime/errors.ts';
import { matches } from '../common/runtime/parse.ts';
import type { Api } from './api.ts';

const pageLength = 1000;

/** All titles, or those of this name or in this state, so many at a time. */
export async function allTitles(
  api: Api,
  of: { name?: string | undefined; state?: TitleState | undefined; limit?: number } = {},
): Promise<TitleView[]> {
  const titles: TitleView[] = [];
  for (let after: string | undefined; ;) {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries({ limit: pageLength, ...of, after }))
      if (value !== undefined) query.set(key, String(value));
    const page = await api.call({ path: `/v1/titles?${query.toString()}`, reply: TitleList });
    titles.push(...page.titles);
    if (page.next === undefined) return titles;
    after = page.next;
  }
}

/** The one title with this id or name. Errors: TITLE_UNKNOWN, also when the name is not of one title only. */
export async function findTitle(api: Api, wanted: string): Promise<TitleView> {
  const exact = matches(ObjectId, wanted) ? await titleOf(api, wanted) : undefined;
  if (exact !== undefined) return exact;
  const named = await allTitles(api, { name: wanted });
  const [only] = named;
  if (named.length === 1 && only !== undefined) return only;
  if (named.length > 1) {
    throw coded(
      'TITLE_UNKNOWN',
      `${named.length} titles are called ${wanted}; use an id: ${named.map((title) => title.id).join(', ')}`,
    );
  }
  throw coded('TITLE_UNKNOWN', `none is called ${wanted}; \`nearcast title list\` shows them all`);
}

async function titleOf(api: Api, id: string): Promise<TitleView | undefined> {
  try {
    return await api.call({ path: `/v1/titles/${id}`, reply: TitleView });
  } catch (error) {
    if (isCoded(error, 'TITLE_UNKNOWN')) return undefined;
    throw error;
  }
}
