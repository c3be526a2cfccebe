import type t from 'tap';
import type { Search } from '../../../common/adapters/search/port.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import type { SearchableTitle, SearchableTitles } from '../../../control-plane/services/search/ports.ts';
import { createTitleSearch, type TitleSearch } from '../../../control-plane/services/search/service.ts';
import { until } from './until.ts';

const many = 2500;
const genres = ['Drama', 'Comedy', 'Crime'];

type Test = Pick<typeof t, 'test' | 'teardown'>;
type Teardown = Pick<typeof t, 'teardown'>;

/** Titles of which only the last ten, which nobody watches, are fit for children. */
const titles: SearchableTitle[] = Array.from({ length: many }, (_, at) => ({
  id: `title_${String(at).padStart(8, '0')}`,
  name: `The film number ${at}`,
  state: at % 100 === 99 ? 'failed' : 'live',
  kind: at % 2 === 0 ? 'movie' : 'episode',
  popularity: many - at,
  ...(at % 5 !== 0 && { year: 1950 + (at % 50) }),
  ...(at % 3 !== 0 && { maturity: at >= many - 10 ? 6 : 16 }),
  ...(at >= many - 10 ? { rights: ['children'] } : { rights: ['adults'] }),
  translations: [{ language: 'de', name: `Der Streifen ${at}` }],
  aliases: [`Der Streifen ${at}`],
  people: at === 7 ? ['Tilda Swinton'] : ['Somebody Else'],
  genres: [genres[at % 3] ?? ''],
  synopsis: '',
}));

async function openSearch(t: Teardown, index: Search): Promise<TitleSearch> {
  const kept: SearchableTitles = {
    page: async ({ from }) => ({ titles: titles.slice(from, from + 500) }),
    find: async ({ ids }) => ({ titles: titles.filter(({ id }) => ids.includes(id)) }),
    shown: async ({ ids }) => ({ ids }),
    allowed: async ({ viewer }) => ({
      rights: viewer.maturityMax >= 16 ? ['adults', 'children'] : ['children'],
    }),
    changes: async (_ask, { signal } = {}) =>
      await new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          reject(new Error('over'));
        });
      }),
  };
  const search = createTitleSearch({
    ...{ index, titles: kept, clock: createSystemClock(), log: createSilentLog() },
  });
  const stopping = new AbortController();
  const running = search.run(stopping.signal);
  t.teardown(async () => {
    stopping.abort();
    await running;
    await index.close();
  });
  await until(
    () => index.count(),
    (count) => count === many,
  );
  await until(
    () => index.isWhole(),
    (isWhole) => isWhole,
  );
  return search;
}

const child = { maturityMax: 6 };
const adult = { maturityMax: 18 };

/** Rights, filters, facets and languages of a search of titles over an engine's empty index. */
export async function manyTitlesSuite(t: Test, index: Search): Promise<void> {
  const search = await openSearch(t, index);
  t.test('what few may see is found whole, however many come before it', async (t) => {
    for (const q of ['film', 'fi', 'the', 'nubmer', 'film film'])
      for (const typing of q === 'fi' ? [true] : [false, true]) {
        const { hits, total } = await search.query({ q, typing, limit: 100 }, { viewer: child });
        const last = titles.slice(-10).filter(({ state }) => state === 'live');
        t.strictSame(
          hits.map(({ id }) => id).sort(),
          last.map(({ id }) => id),
          q,
        );
        t.equal(total, last.length);
      }
    t.equal((await search.query({ q: 'film' }, { viewer: adult })).total, 1000, 'counted up to a thousand');
  });

  t.test('filters and facets with counts', async (t) => {
    const countOf = (isIn: (title: SearchableTitle) => boolean): number =>
      titles.filter((title) => title.state === 'live' && isIn(title)).length;
    const { facets } = await search.query({ q: 'film', facets: true }, { viewer: adult });
    t.strictSame(facets?.['genre'], {
      Comedy: countOf(({ genres: of }) => of[0] === 'Comedy'),
      Crime: countOf(({ genres: of }) => of[0] === 'Crime'),
      Drama: countOf(({ genres: of }) => of[0] === 'Drama'),
    });
    t.strictSame(facets?.['maturity'], {
      6: countOf(({ maturity }) => maturity === 6),
      16: countOf(({ maturity }) => maturity === 16),
    });
    t.equal(
      facets?.['year']?.['1951'],
      countOf(({ year }) => year === 1951),
    );
    t.strictSame(Object.keys(facets ?? {}), ['kind', 'genre', 'year', 'maturity']);
    t.equal((await search.query({ q: 'film' }, { viewer: adult })).facets, undefined);
    const few = await search.query({ q: 'film', facets: true }, { viewer: child });
    t.strictSame(few.facets?.['maturity'], { 6: countOf(({ maturity }) => maturity === 6) });
    t.strictSame((await search.query({ q: 'nothing', facets: true })).facets, {
      ...{ kind: {}, genre: {}, year: {}, maturity: {} },
    });

    const totalOf = async (query: object): Promise<number> =>
      (await search.query({ q: 'film', ...query }, { viewer: adult })).total;
    t.equal(await totalOf({ person: 'Tilda Swinton' }), 1);
    t.equal(
      await totalOf({ genre: 'Crime', kind: 'movie', yearFrom: 1990, yearTo: 1991 }),
      countOf(
        ({ genres: of, kind, year = 0 }) =>
          of[0] === 'Crime' && kind === 'movie' && year >= 1990 && year <= 1991,
      ),
    );
    t.equal(
      await totalOf({ maturityMax: 15 }),
      countOf(({ maturity = 18 }) => maturity <= 15),
    );
    t.equal(await totalOf({ yearFrom: 2000, yearTo: 1999 }), 0);
    t.equal(await totalOf({ genre: 'Western' }), 0);
  });

  t.test('names in the languages of who asks, with what was found in them', async (t) => {
    const { hits } = await search.query({ q: 'streifen 7' }, { viewer: adult, languages: ['de-AT', 'en'] });
    t.match(hits[0], {
      name: 'Der Streifen 7',
      highlights: [
        [4, 12],
        [13, 14],
      ],
    });
    t.match((await search.query({ q: 'film number 7' }, { languages: ['fr'] })).hits[0], {
      name: 'The film number 7',
    });
  });
}
