import type { Search, SearchDocument, SearchHit } from '../../../common/adapters/search/port.ts';
import type { Viewer } from '../../../common/contract/release.ts';
import type { TitleSearchQuery, TitleSearchReply } from '../../../common/contract/search.ts';
import { yearMax, yearMin } from '../../../common/contract/title-metadata.ts';
import { pickLanguage } from '../../../common/core/language.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createTurns } from '../turns.ts';
import { titlesAtOnce, type SearchableTitle, type SearchableTitles } from './ports.ts';

export interface TitleSearchOptions {
  readonly index: Search;
  readonly titles: SearchableTitles;
  readonly clock: Clock;
  readonly log: Log;
}

/** Finds titles by what somebody types. */
export interface TitleSearch {
  /** With a viewer only titles that it may see, in hits and counts; named in the languages, best first. Errors: those of the search port. */
  query(
    query: TitleSearchQuery,
    by?: { viewer?: Viewer | undefined; languages?: readonly string[] },
  ): Promise<TitleSearchReply>;
  /** Brings the index up to date, and keeps it so until the signal. */
  run(signal: AbortSignal): Promise<void>;
}

/** What is counted where that is asked for. */
const countedFacets = ['kind', 'genre', 'year', 'maturity'];
const emptyFacets = Object.fromEntries(countedFacets.map((name) => [name, {}]));

/** Popularity moves slowly; names and states are followed at once. */
const refreshMs = 10 * 60_000;
/** An index that was lost is noticed within. */
const lookMs = 5000;
/** After a failure to hear of titles. */
const againMs = 1000;

/** Makes the search of titles over an index, which may be empty or behind. */
export function createTitleSearch(options: TitleSearchOptions): TitleSearch {
  return new IndexedTitles(options);
}

class IndexedTitles implements TitleSearch {
  readonly #options: TitleSearchOptions;
  readonly #inTurn = createTurns();

  constructor(options: TitleSearchOptions) {
    this.#options = options;
  }

  async query(
    query: TitleSearchQuery,
    { viewer, languages = [] }: { viewer?: Viewer | undefined; languages?: readonly string[] } = {},
  ): Promise<TitleSearchReply> {
    const { index, titles } = this.#options;
    const { q, typing = false, limit = 20, offset = 0 } = query;
    const found = await index.query({
      ...{ text: q, isTyping: typing, limit, offset },
      facets: [...(viewer === undefined ? ['state'] : []), ...(query.facets === true ? countedFacets : [])],
      filters: {
        ...filtersOf(query),
        // By these it finds what the viewer is shown, and counts nothing else.
        ...(viewer !== undefined && { state: ['live'], rights: (await titles.allowed({ viewer })).rights }),
      },
    });
    const named = await this.#named(found.hits, languages);
    const hits = viewer === undefined ? named : await this.#shown(named, viewer);
    const { state: states = {}, ...facets } = found.facets;
    return {
      hits,
      total: Math.max(0, found.total - (named.length - hits.length)),
      states: { ...states },
      ...(query.facets === true && { facets: { ...emptyFacets, ...facets } }),
    };
  }

  /** Those that are shown now: what the index knows may be of a moment ago. */
  async #shown(hits: TitleSearchReply['hits'], viewer: Viewer): Promise<TitleSearchReply['hits']> {
    if (hits.length === 0) return hits;
    const { ids } = await this.#options.titles.shown({ ids: hits.map(({ id }) => id), viewer });
    return hits.filter(({ id, state }) => state === 'live' && ids.includes(id));
  }

  /** Hits with the titles' names as they are now, in the languages of who asks; without those that are no longer there. */
  async #named(hits: readonly SearchHit[], languages: readonly string[]): Promise<TitleSearchReply['hits']> {
    const ids = hits.map(({ id }) => id);
    const { titles } = ids.length === 0 ? { titles: [] } : await this.#options.titles.find({ ids });
    const byId = new Map(titles.map((title) => [title.id, title]));
    return hits.flatMap(({ id, typos, highlights }) => {
      const title = byId.get(id);
      if (title === undefined) return [];
      const { translations } = title;
      const language = pickLanguage(
        languages,
        translations.map((one) => one.language),
      );
      const name = translations.find((one) => one.language === language)?.name ?? title.name;
      const ranges = highlights.find(({ text }) => text === name)?.ranges ?? [];
      const places = ranges.map(([from, to]): [number, number] => [from, to]);
      return [{ id, name, state: title.state, typos, highlights: places }];
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#follow(signal), this.#refreshNowAndThen(signal)]);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { titles } = this.#options;
    let after = 0;
    while (!signal.aborted) {
      const isFirst = after === 0;
      const isHeard = await this.#logged(signal, async () => {
        const { sequence, ids } = await titles.changes({ after }, { signal });
        // At the start all are looked at anyway.
        if (ids !== undefined) await this.#inTurn(() => this.#put(ids));
        else if (!isFirst) await this.#inTurn(() => this.#refresh(signal));
        after = sequence;
      });
      if (!isHeard) await this.#sleep(againMs, signal);
    }
  }

  async #refreshNowAndThen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const isFresh = await this.#logged(signal, () => this.#inTurn(() => this.#refresh(signal)));
      if (isFresh) await this.#rest(signal);
      else await this.#sleep(againMs, signal);
    }
  }

  /** Waits until popularity has moved, or the index was lost. */
  async #rest(signal: AbortSignal): Promise<void> {
    const { clock, index } = this.#options;
    const endMs = clock.monotonicMs() + refreshMs;
    while (!signal.aborted && clock.monotonicMs() < endMs) {
      await this.#sleep(lookMs, signal);
      const seen = { isWhole: true };
      await this.#logged(signal, async () => {
        seen.isWhole = await index.isWhole();
      });
      if (!seen.isWhole) return;
    }
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(ms, { signal }).catch(() => undefined);
  }

  async #put(ids: readonly string[]): Promise<void> {
    const { index, titles } = this.#options;
    for (let from = 0; from < ids.length; from += titlesAtOnce) {
      const found = await titles.find({ ids: ids.slice(from, from + titlesAtOnce) });
      await index.put(found.titles.map(documentOf));
    }
  }

  /** Puts every title; the index passes over those that it holds as they are. */
  async #refresh(signal: AbortSignal): Promise<void> {
    const { index, titles } = this.#options;
    for (let from = 0; !signal.aborted;) {
      const { titles: page } = await titles.page({ from });
      if (page.length === 0) {
        await index.settle();
        return;
      }
      await index.put(page.map(documentOf));
      from += page.length;
      await new Promise(setImmediate);
    }
  }

  /** Whether it was done. */
  async #logged(signal: AbortSignal, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!signal.aborted)
        this.#options.log.error(
          { err: error },
          'the search index could not be brought up to date; tried again',
        );
      return false;
    }
  }
}

function filtersOf(query: TitleSearchQuery): Record<string, string[]> {
  const { state, kind, genre, person, yearFrom, yearTo, maturityMax } = query;
  const isOfYears = yearFrom !== undefined || yearTo !== undefined;
  return {
    ...(state !== undefined && { state: [state] }),
    ...(kind !== undefined && { kind: [kind] }),
    ...(genre !== undefined && { genre: [genre] }),
    ...(person !== undefined && { person: [person] }),
    ...(isOfYears && { year: numbersFrom(yearFrom ?? yearMin, yearTo ?? yearMax) }),
    ...(maturityMax !== undefined && { maturity: numbersFrom(0, maturityMax) }),
  };
}

function numbersFrom(first: number, last: number): string[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => String(first + at));
}

function documentOf(title: SearchableTitle): SearchDocument {
  const { id, name, aliases, people, genres, synopsis, state, popularity } = title;
  const { kind, year, maturity, rights } = title;
  // Rounded, so that a title is written again only when its popularity has moved for good.
  const rounded = Number(popularity.toPrecision(2));
  const texts = { title: [name], aliases, people, genres, description: [synopsis] };
  const facets = {
    ...{ state: [state], kind: [kind], genre: genres, person: [...new Set(people)], rights },
    year: year === undefined ? [] : [String(year)],
    maturity: maturity === undefined ? [] : [String(maturity)],
  };
  return { id, texts, facets, popularity: rounded };
}
