import { genresOf, type Catalogue } from './catalogue.ts';

/** What a person has met, by the catalogue's indexes, and how much each tells. */
export interface Met {
  readonly titles: Uint32Array;
  readonly weights: Float32Array;
}

/** How much the same people tell, beside genres. */
const peopleWeight = 0.5;

/**
 * How much each genre is a person's, summing to 1; all 0 for one who has met nothing of any. A title's weight is shared by its genres; a rare
 * genre tells more than one that everything has (inverse document frequency, Spärck Jones, 1972).
 */
export function genreTaste(catalogue: Catalogue, { titles, weights }: Met): Float64Array {
  const taste = new Float64Array(catalogue.genres.length);
  let sum = 0;
  for (const [at, title] of titles.entries()) {
    const genres = genresOf(catalogue, title);
    for (const genre of genres) {
      const told = (weights[at]! / genres.length) * rarity(catalogue, catalogue.titlesOfGenre[genre]!.length);
      taste[genre]! += told;
      sum += told;
    }
  }
  return sum === 0 ? taste : taste.map((told) => told / sum);
}

/**
 * How alike titles are, by their genres and people, to what somebody has met; brought to a root mean square of 1 over all titles. What many
 * titles have alike is looked at once: a turn takes time by the number of mixes of genres and of titles by the same people.
 */
export class ContentScorer {
  readonly #catalogue: Catalogue;
  readonly #ofMix: Float64Array;
  readonly #byPeople: Float64Array;
  #besides: number[] = [];
  #scale = 0;

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
    this.#ofMix = new Float64Array(catalogue.mixes.length);
    this.#byPeople = new Float64Array(catalogue.titles.length);
  }

  /** Titles by people whom the person that was turned to has met. */
  get besides(): readonly number[] {
    return this.#besides;
  }

  /** Turns to a person, by what it has met. */
  turnTo(met: Met): void {
    const { mixes, mixOf, titles } = this.#catalogue;
    const taste = genreTaste(this.#catalogue, met);
    let squares = 0;
    for (const [mix, { genres, titles: having }] of mixes.entries()) {
      let told = 0;
      for (const genre of genres) told += taste[genre]!;
      this.#ofMix[mix] = genres.length === 0 ? 0 : told / Math.sqrt(genres.length);
      squares += having * this.#ofMix[mix] ** 2;
    }
    this.#addPeople(met);
    for (const title of this.#besides) {
      const byGenres = this.#ofMix[mixOf[title]!]!;
      squares += (byGenres + this.#byPeople[title]!) ** 2 - byGenres ** 2;
    }
    this.#scale = squares > 0 ? Math.sqrt(titles.length / squares) : 0;
  }

  /** How alike a title is. */
  of(title: number): number {
    return this.#scale * (this.#ofMix[this.#catalogue.mixOf[title]!]! + this.#byPeople[title]!);
  }

  #addPeople({ titles, weights }: Met): void {
    const catalogue = this.#catalogue;
    for (const title of this.#besides) this.#byPeople[title] = 0;
    this.#besides = [];
    const sum = weights.reduce((all, weight) => all + weight, 0);
    for (const [at, title] of titles.entries())
      for (const person of new Set(catalogue.titles[title]!.people)) {
        const theirs = catalogue.titlesOfPerson.get(person);
        if (theirs !== undefined)
          this.#addTitles(theirs, { but: title, told: (peopleWeight * weights[at]!) / sum });
      }
  }

  #addTitles(titles: Uint32Array, { but, told }: { but: number; told: number }): void {
    for (const title of titles) {
      if (title === but) continue;
      if (this.#byPeople[title] === 0) this.#besides.push(title);
      this.#byPeople[title]! += told;
    }
  }
}

function rarity({ titles }: Catalogue, having: number): number {
  return Math.log1p(titles.length / having);
}
