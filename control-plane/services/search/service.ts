import type { Search, SearchDocument } from '../../../common/adapters/search/port.ts';
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
  /** `isViewer`: only titles that are live. Errors: those of the search port. */
  query(query: TitleSearchQuery, isViewer: boolean): Promise<TitleSearchReply>;
  /** Brings the index up to date, and keeps it so until the signal. */
  run(signal: AbortSignal): Promise<void>;
}

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

  async query(
    { q, typing = false, state, limit = 20, offset = 0 }: TitleSearchQuery,
    isViewer: boolean,
  ): Promise<TitleSearchReply> {
    const wanted = isViewer ? 'live' : state;
    const { hits, total, facets } = await this.#options.index.query({
      ...{ text: q, isTyping: typing, limit, offset, facets: isViewer ? [] : ['state'] },
      filters: wanted === undefined ? {} : { state: [wanted] },
    });
    const ids = hits.map(({ id }) => id);
    const { titles } = ids.length === 0 ? { titles: [] } : await this.#options.titles.find({ ids });
    const byId = new Map(titles.map((title) => [title.id, title]));
    return {
      // The index may be a moment behind; what a viewer may see is decided by the title as it is now.
      hits: hits.flatMap(({ id, typos, highlights }) => {
        const title = byId.get(id);
        if (title === undefined || (isViewer && title.state !== 'live')) return [];
        const ranges = highlights.find(({ text }) => text === title.name)?.ranges ?? [];
        const places = ranges.map(([from, to]): [number, number] => [from, to]);
        return [{ id, name: title.name, state: title.state, typos, highlights: places }];
      }),
      total,
      states: { ...facets['state'] },
    };
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
