import { TitleList, type TitleView } from '../common/contract/titles.ts';
import { coded } from '../common/runtime/errors.ts';
import type { Api } from './api.ts';

/** The one title with this id or name. Errors: TITLE_UNKNOWN, also when the name is not of one title only. */
export async function findTitle(api: Api, wanted: string): Promise<TitleView> {
  const { titles } = await api.call({ path: '/v1/titles', reply: TitleList });
  const exact = titles.find((title) => title.id === wanted);
  if (exact !== undefined) return exact;
  const named = titles.filter((title) => title.name.toLowerCase() === wanted.toLowerCase());
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
