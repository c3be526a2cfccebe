import { bestAmong, bestScored, type ScoredTitles } from './best-items.ts';
import { genreLikeness, type Catalogue } from './catalogue.ts';
import type { Offer } from './offer.ts';
import { pick, type Picked } from './pick.ts';

/** Why a title stands in a row. */
export type Reason =
  | { readonly kind: 'because'; readonly title: number }
  | { readonly kind: 'trending' | 'new' | 'popular' }
  | { readonly kind: 'genre'; readonly genre: number };

export interface PickedTitle extends Picked {
  readonly reason: Reason;
}

/** A row of titles, of the catalogue by index. */
export interface PickedRow {
  readonly kind: 'because' | 'top' | 'trending' | 'new' | 'genre';
  /** Of a row that is because of a title: which. */
  readonly because?: number;
  readonly genre?: number;
  readonly titles: readonly PickedTitle[];
}

/** What rows are made of, for one person. */
export interface RowsInput {
  readonly catalogue: Catalogue;
  readonly offer: Pick<Offer, 'ofGenre' | 'fresh'>;
  /**
   * Titles that may be offered to the person, and how well each of all titles fits; −Infinity for the others. Scores are written over:
   * what stands in a row is not offered again.
   */
  readonly scored: ScoredTitles;
  /** Titles that the person liked, which rows may be because of, the first first; and what fits best beside each. */
  readonly anchors: readonly { readonly title: number; readonly beside: ScoredTitles }[];
  /** What is begun more than usual where the person is, the most first. */
  readonly trending: readonly number[];
  /** 1 for what is new, falling to 0. */
  readonly freshness: Float64Array;
  /** How much each genre is the person's; all the same where nothing is known of it. */
  readonly genreTaste: Float64Array;
  /** What the person has met that speaks most for a title. */
  readonly speakerFor: (title: number) => number | undefined;
  readonly mayShow: (title: number) => boolean;
  readonly fraction: () => number;
}

const rowLength = 20;
const candidatesMax = 60;
/** Of what fits beside a title that was liked: some of them will stand in rows before that one. */
export const besideMax = 120;
const genreRowsMax = 8;
const temperature = 0.15;
/** Fewer are no row, but in a catalogue that has few altogether. */
const titlesMin = 3;
const fewTitles = 12;

/**
 * Makes a person's rows: top picks, because of what was liked, what trends, what is new, genres in the person's order. No title
 * stands in two rows.
 */
export function rowsOf(input: RowsInput): PickedRow[] {
  const { anchors, freshness, offer, trending } = input;
  const { titles: all, scores } = input.scored;
  const scoreOf = (title: number): number => scores[title]!;
  const isOpen = (title: number): boolean => scores[title]! > -Infinity;
  let offered = 0;
  for (const title of all) if (isOpen(title)) offered++;
  const rows: PickedRow[] = [];
  const least = offered < fewTitles ? 1 : titlesMin;
  const add = (row: Omit<PickedRow, 'titles'>, from: RowSource): void => {
    const titles = pickRow(from, input);
    if (titles.length < least) return;
    for (const { title } of titles) scores[title] = -Infinity;
    rows.push({ ...row, titles });
  };
  add(
    { kind: 'top' },
    {
      from: bestScored(all, 2 * candidatesMax, scores),
      ...{ count: topLength(offered), reasonOf: topReason(input) },
    },
  );
  for (const { title, beside } of anchors) {
    const besideOf = new Map(Array.from(beside.titles, (other, at) => [other, beside.scores[at]!]));
    const from = bestAmong(beside.titles, candidatesMax, (other) =>
      isOpen(other) ? besideOf.get(other)! : -Infinity,
    );
    add({ kind: 'because', because: title }, { from, reasonOf: () => ({ kind: 'because', title }) });
  }
  const placeOf = new Map(trending.map((title, place) => [title, place]));
  const trends = bestAmong(
    trending,
    trending.length,
    (title) => scoreOf(title) / 2 - placeOf.get(title)! / candidatesMax,
  );
  add({ kind: 'trending' }, { from: trends, reasonOf: () => ({ kind: 'trending' }) });
  const fresh = bestAmong(offer.fresh, candidatesMax, (title) => scoreOf(title) + 2 * freshness[title]!);
  add({ kind: 'new' }, { from: fresh, reasonOf: () => ({ kind: 'new' }) });
  for (const genre of genresInOrder(input)) {
    if (rows.filter(({ kind }) => kind === 'genre').length >= genreRowsMax) break;
    const from = bestScored(offer.ofGenre[genre]!, candidatesMax, scores);
    add({ kind: 'genre', genre }, { from, reasonOf: () => ({ kind: 'genre', genre }) });
  }
  return rows;
}

interface RowSource {
  readonly from: ScoredTitles;
  readonly count?: number;
  readonly reasonOf: (title: number) => Reason;
}

function pickRow(
  { from, count = rowLength, reasonOf }: RowSource,
  { catalogue, fraction, mayShow }: RowsInput,
): PickedTitle[] {
  const likeness = (one: number, other: number): number => genreLikeness(catalogue, one, other);
  return pick(from, { count, temperature, fraction, likeness, mayShow }).map((picked) => ({
    ...picked,
    reason: reasonOf(picked.title),
  }));
}

/** Of few titles the top picks leave some for the other rows. */
function topLength(offered: number): number {
  return Math.min(rowLength, Math.max(6, Math.floor(offered / 3)));
}

function topReason({ speakerFor }: RowsInput): (title: number) => Reason {
  return (title) => {
    const speaker = speakerFor(title);
    return speaker === undefined ? { kind: 'popular' } : { kind: 'because', title: speaker };
  };
}

/** Genres, those that are most the person's first; then those of most titles. */
function genresInOrder({ catalogue, genreTaste }: RowsInput): number[] {
  const size = (genre: number): number => catalogue.titlesOfGenre[genre]!.length;
  return [...catalogue.genres.keys()].sort(
    (one, other) => genreTaste[other]! - genreTaste[one]! || size(other) - size(one) || one - other,
  );
}
