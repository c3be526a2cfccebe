import { growingCache } from '../../../common/core/growing-cache.ts';
import { bestScored, type ScoredTitles } from './core/best-items.ts';
import type { Offer } from './core/offer.ts';
import type { PersonScorer } from './core/person-scorer.ts';
import { besideMax } from './core/rows.ts';

/** Lists that are remembered, of all offers together: of 4 KB each. */
const listsMax = 4000;
/** So much of each, so that enough is left without what a person has met. */
const listLength = 3 * besideMax;

export interface BesideOptions {
  readonly offer: Offer;
  /** Titles that are looked at beside the candidates of the offer. */
  readonly also: readonly number[];
  /** Titles that a person is not offered. */
  readonly without: ReadonlySet<number>;
}

/** What fits best beside one title: the same for all who may be offered the same, so it is worked out once. */
export class Besides {
  readonly #scorer: PersonScorer;
  readonly #offers = new WeakMap<Offer, number>();
  readonly #lists = growingCache<string, ScoredTitles>(listsMax);
  #offersSeen = 0;

  constructor(scorer: PersonScorer) {
    this.#scorer = scorer;
  }

  /** The best beside a title, the best first; the scorer may have turned to another person meanwhile. */
  of(title: number, options: BesideOptions): ScoredTitles {
    const list = this.#listOf(title, options);
    const { without } = options;
    const found = some(list, without);
    // Somebody has met nearly all of what was remembered.
    const isShort = list.titles.length === listLength && found.titles.length < besideMax;
    return isShort ? some(this.#best(title, options, listLength + without.size), without) : found;
  }

  #listOf(title: number, options: BesideOptions): ScoredTitles {
    const key = `${this.#numberOf(options.offer)} ${title}`;
    let list = this.#lists.get(key);
    if (list === undefined) this.#lists.set(key, (list = this.#best(title, options, listLength)));
    return list;
  }

  #best(title: number, { offer, also }: BesideOptions, count: number): ScoredTitles {
    const met = { titles: Uint32Array.of(title), weights: Float32Array.of(1) };
    const { titles, scores } = this.#scorer.score(met, offer, also);
    return bestScored(titles, count, scores);
  }

  #numberOf(offer: Offer): number {
    const known = this.#offers.get(offer);
    if (known !== undefined) return known;
    this.#offers.set(offer, ++this.#offersSeen);
    return this.#offersSeen;
  }
}

/** The first of a list but those that are left out. */
function some({ titles, scores }: ScoredTitles, without: ReadonlySet<number>): ScoredTitles {
  const places = [...titles.keys()].filter((at) => !without.has(titles[at] ?? -1)).slice(0, besideMax);
  return {
    titles: Uint32Array.from(places, (at) => titles[at] ?? 0),
    scores: Float64Array.from(places, (at) => scores[at] ?? 0),
  };
}
