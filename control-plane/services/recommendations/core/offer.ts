import { sharedScore, type Basis } from './basis.ts';
import { bestAmong } from './best-items.ts';
import type { Work } from './work.ts';

/** What viewers of one country and age may be offered, and which part of it is scored for each of them. */
export interface Offer {
  /** 1 for each title that they may be shown, as of some minutes ago. */
  readonly allowed: Uint8Array;
  /** Titles that are scored for everybody. */
  readonly candidates: Uint32Array;
  /** 1 for each of those. */
  readonly isCandidate: Uint8Array;
  /** Of each genre the candidates. */
  readonly ofGenre: readonly Uint32Array[];
  /** Candidates that are new. */
  readonly fresh: Uint32Array;
}

/** Up to so many titles all are scored. */
const wholeMax = 20_000;
/** Of more: what the model knows, and so many of each of the largest genres and altogether, by what everybody watches and by what is new. */
const ofGenreMax = 400;
const altogetherMax = 1000;
const genresMax = 64;
/** From this freshness on a title is new: two months at most. */
const newFrom = 0.25;

/** Everything that may be shown: for a question about one title among all. */
export function wholeOffer({ catalogue, freshness }: Basis, allowed: Uint8Array): Offer {
  return offerOfCandidates({ catalogue, freshness }, allowed, allowed);
}

/** Chooses what is scored, where there are many titles, and sorts it as rows need it. */
export function* offerOf(basis: Basis, allowed: Uint8Array): Work<Offer> {
  const { catalogue, bound } = basis;
  const all = titlesIn(allowed);
  if (all.length <= wholeMax) return wholeOffer(basis, allowed);
  const chosen = new Uint8Array(allowed.length);
  if (bound !== undefined) for (const title of all) if (bound.itemOf[title]! >= 0) chosen[title] = 1;
  const genres = catalogue.titlesOfGenre
    .map((titles) => titles.filter((title) => allowed[title] === 1))
    .toSorted((one, other) => other.length - one.length)
    .slice(0, genresMax);
  for (const [number, titles] of [all, ...genres].entries()) {
    // For who has met nothing, and for who has met much; and what is new.
    for (const score of [
      (title: number) => sharedScore(basis, title, 0),
      (title: number) => sharedScore(basis, title, 1),
      (title: number) => basis.freshness[title]!,
    ]) {
      const best = bestAmong(titles, number === 0 ? altogetherMax : ofGenreMax, score);
      for (const title of best.titles) chosen[title] = 1;
      yield number / (genres.length + 1);
    }
  }
  return offerOfCandidates(basis, allowed, chosen);
}

function offerOfCandidates(
  { catalogue, freshness }: Pick<Basis, 'catalogue' | 'freshness'>,
  allowed: Uint8Array,
  isCandidate: Uint8Array,
): Offer {
  const candidates = titlesIn(isCandidate);
  return {
    ...{ allowed, isCandidate, candidates },
    ofGenre: catalogue.titlesOfGenre.map((titles) => titles.filter((title) => isCandidate[title] === 1)),
    fresh: candidates.filter((title) => freshness[title]! >= newFrom),
  };
}

function titlesIn(marked: Uint8Array): Uint32Array {
  let count = 0;
  for (const mark of marked) count += mark;
  const titles = new Uint32Array(count);
  let length = 0;
  for (let title = 0; title < marked.length; title++) if (marked[title] === 1) titles[length++] = title;
  return titles;
}
