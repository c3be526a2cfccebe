import type { Search, SearchDocument } from '../../../common/adapters/search/port.ts';
import type { TitleSearchQuery, TitleSearchReply } from '../../../common/contract/search.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createTurns } from '../turns.ts';
import type { SearchableTitle, SearchableTitles } from './ports.ts';

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

const batch = 500;
/** Popularity moves slowly; names and states are followed at once. */
const refreshMs = 10 * 60_000;

/** Makes the search of titles over an index, which may be empty or behind. */
export function createTitleSearch(options: TitleSearchOptions): TitleSearch {
  return new IndexedTitles(options);
}

class IndexedTitles implements TitleSearch {
  readonly #options: TitleSearchOptions;
  readonly #inTurn = createTurns();
  readonly #changed = new Set<string>();
  #last: Promise<void> = Promise.resolve();

  constructor(options: TitleSearchOptions) {
    this.#options = options;
  }

  async query(
    { q, typing = false, state, limit = 20, offset = 0 }: TitleSearchQuery,
    isViewer: boolean,
  ): Promise<TitleSearchReply> {
    const wanted = isViewer ? 'live' : state;
    const { hits, total, facets } = await this.#options.index.query({
      ...{ text: q, isTyping: typing, limit, offset, facets: ['state'] },
      filters: wanted === undefined ? {} : { state: [wanted] },
    });
    return {
      // The index may be a moment behind; what a viewer may see is decided by the title as it is now.
      hits: hits.flatMap(({ id, typos, highlights }) => {
        const title = this.#options.titles.find(id);
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
    const { titles, clock } = this.#options;
    const stop = titles.onChange((id) => {
      this.#changed.add(id);
      this.#last = this.#inTurn(() => this.#putChanged());
    });
    while (!signal.aborted) {
      this.#last = this.#inTurn(() => this.#refresh(signal));
      await this.#last;
      await clock.sleep(refreshMs, { signal }).catch(() => undefined);
    }
    stop();
    await this.#last;
  }

  async #putChanged(): Promise<void> {
    const ids = [...this.#changed];
    this.#changed.clear();
    const { index, titles } = this.#options;
    await this.#logged(() =>
      index.put(ids.flatMap((id) => titles.find(id) ?? []).map((title) => documentOf(title))),
    );
  }

  /** Puts every title; the index passes over those that it holds as they are. */
  async #refresh(signal: AbortSignal): Promise<void> {
    const { index, titles } = this.#options;
    const all = titles.all();
    for (let from = 0; from < all.length && !signal.aborted; from += batch) {
      await this.#logged(() => index.put(all.slice(from, from + batch).map(documentOf)));
      await new Promise(setImmediate);
    }
  }

  /** What is not in the index now is put at the next refresh. */
  async #logged(put: () => Promise<void>): Promise<void> {
    await put().catch((error: unknown) => {
      this.#options.log.error({ err: error }, 'titles could not be put into the search index; tried again');
    });
  }
}

function documentOf({ id, name, state, popularity }: SearchableTitle): SearchDocument {
  // Rounded, so that a title is written again only when its popularity has moved for good.
  const rounded = Number(popularity.toPrecision(2));
  return { id, texts: { title: [name] }, facets: { state: [state] }, popularity: rounded };
}
