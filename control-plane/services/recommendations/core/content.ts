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

/** Adds to `scores` how alike each title is, by its genres and people, to what somebody has met. */
export function addContentScores(catalogue: Catalogue, met: Met, scores: Float64Array): void {
  const taste = genreTaste(catalogue, met);
  const { genreOffsets, genreOf } = catalogue;
  for (let title = 0; title < catalogue.titles.length; title++) {
    const from = genreOffsets[title]!;
    const to = genreOffsets[title + 1]!;
    if (from === to) continue;
    let told = 0;
    for (let at = from; at < to; at++) told += taste[genreOf[at]!]!;
    scores[title]! += told / Math.sqrt(to - from);
  }
  const sum = met.weights.reduce((all, weight) => all + weight, 0);
  for (const [at, title] of met.titles.entries())
    for (const person of new Set(catalogue.titles[title]!.people))
      for (const other of catalogue.titlesOfPerson.get(person) ?? [])
        if (other !== title) scores[other]! += (peopleWeight * met.weights[at]!) / sum;
}

function rarity({ titles }: Catalogue, having: number): number {
  return Math.log1p(titles.length / having);
}
