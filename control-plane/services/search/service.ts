import type { Search, SearchDocument, SearchHit } from '../../../common/adapters/search/port.ts';
import type { Viewer } from '../../../common/contract/release.ts';
import type { TitleSearchQuery, TitleSearchReply } from '../../../common/contract/search.ts';
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
  /** With a viewer only titles that it may see, in hits and counts. Errors: those of the search port. */
  query(query: TitleSearchQuery, viewer: Viewer | undefined): Promise<TitleSearchReply>;
  /** Brings the index up to date, and keeps it so until the signal. */
  run(signal: AbortSignal): Promise<void>;
}

/** Hits are looked at so many at a time for a viewer, and so many at least where there are more, to count those that it may see. */
const pageLength = 100;
const countedMax = 200;
/** The last that an index is asked for. */
const offsetMax = 1000;

/** Popularity moves slowly; names and states are followed at once. */
const refreshMs = 10 * 60_000;
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

  async query(query: TitleSearchQuery, viewer: Viewer | undefined): Promise<TitleSearchReply> {
    const { limit = 20, offset = 0 } = query;
    if (viewer !== undefined) {
      const shown = await this.#shownHits(query, viewer);
      const hits = await this.#named(shown.slice(offset, offset + limit));
      // It may have changed its state since it was looked up.
      return { hits: hits.filter(({ state }) => state === 'live'), total: shown.length, states: {} };
    }
    const { q, typing = false, state } = query;
    const { hits, total, facets } = await this.#options.index.query({
      ...{ text: q, isTyping: typing, limit, offset, facets: ['state'] },
      filters: state === undefined ? {} : { state: [state] },
    });
    return { hits: await this.#named(hits), total, states: { ...facets['state'] } };
  }

  /** What a viewer may see of what fits, the best first; as many as are asked for and counted. The index knows no rights. */
  async #shownHits(
    { q, typing = false, limit = 20, offset = 0 }: TitleSearchQuery,
    viewer: Viewer,
  ): Promise<SearchHit[]> {
    const { index, titles } = this.#options;
    const shown = new Map<string, SearchHit>();
    for (let from = 0; from <= offsetMax; from += pageLength) {
      const { hits } = await index.query({
        ...{ text: q, isTyping: typing, limit: pageLength, offset: from, filters: { state: ['live'] } },
      });
      const { ids } = await titles.shown({ ids: hits.map(({ id }) => id), viewer });
      const isShown = new Set(ids);
      for (const hit of hits) if (isShown.has(hit.id)) shown.set(hit.id, hit);
      const looked = from + hits.length;
      if (hits.length < pageLength || (looked >= countedMax && shown.size >= offset + limit)) break;
    }
    return [...shown.values()];
  }

  /** Hits with the titles' names as they are now; without those that are no longer there. */
  async #named(hits: readonly SearchHit[]): Promise<TitleSearchReply['hits']> {
    const ids = hits.map(({ id }) => id);
    const { titles } = ids.length === 0 ? { titles: [] } : await this.#options.titles.find({ ids });
    const byId = new Map(titles.map((title) => [title.id, title]));
    return hits.flatMap(({ id, typos, highlights }) => {
      const title = byId.get(id);
      if (title === undefined) return [];
      const ranges = highlights.find(({ text }) => text === title.name)?.ranges ?? [];
      const places = ranges.map(([from, to]): [number, number] => [from, to]);
      return [{ id, name: title.name, state: title.state, typos, highlights: places }];
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#follow(signal), this.#refreshNowAndThen(signal)]);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { titles, clock } = this.#options;
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
      if (!isHeard) await clock.sleep(againMs, { signal }).catch(() => undefined);
    }
  }

  async #refreshNowAndThen(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const isFresh = await this.#logged(signal, () => this.#inTurn(() => this.#refresh(signal)));
      await clock.sleep(isFresh ? refreshMs : againMs, { signal }).catch(() => undefined);
    }
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
      if (page.length === 0) return;
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

function documentOf(title: SearchableTitle): SearchDocument {
  const { id, name, aliases, people, genres, synopsis, state, popularity } = title;
  // Rounded, so that a title is written again only when its popularity has moved for good.
  const rounded = Number(popularity.toPrecision(2));
  const texts = { title: [name], aliases, people, genres, description: [synopsis] };
  return { id, texts, facets: { state: [state] }, popularity: rounded };
}
