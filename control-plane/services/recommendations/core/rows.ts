import { bestItems } from './best-items.ts';
import { genreLikeness, type Catalogue } from './catalogue.ts';
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
  /** How well each title fits; −Infinity for what may not be offered to the person. */
  readonly scores: Float64Array;
  /** Titles that the person liked, which rows may be because of, the first first; and how well others fit beside them. */
  readonly anchors: readonly { readonly title: number; readonly scores: Float64Array }[];
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
const genreRowsMax = 8;
const temperature = 0.15;
/** From this freshness on a title is new: two months at most. */
const newFrom = 0.25;
/** Fewer are no row, but in a catalogue that has few altogether. */
const titlesMin = 3;
const fewTitles = 12;

/**
 * Makes a person's rows: top picks, because of what was liked, what trends, what is new, genres in the person's order. No title
 * stands in two rows.
 */
export function rowsOf(input: RowsInput): PickedRow[] {
  const { catalogue, anchors, freshness } = input;
  const scores = input.scores.slice();
  let offered = 0;
  for (const score of scores) if (score > -Infinity) offered++;
  const rows: PickedRow[] = [];
  const least = offered < fewTitles ? 1 : titlesMin;
  const add = (row: Omit<PickedRow, 'titles'>, from: RowSource): void => {
    const titles = pickRow(from, { ...input, scores });
    if (titles.length < least) return;
    for (const { title } of titles) scores[title] = -Infinity;
    rows.push({ ...row, titles });
  };
  const all = bestItems(scores, 2 * candidatesMax);
  add({ kind: 'top' }, { titles: all, scores, count: topLength(offered), reasonOf: topReason(input) });
  for (const { title, scores: beside } of anchors) {
    const open = masked(beside, scores);
    add(
      { kind: 'because', because: title },
      { titles: bestItems(open, candidatesMax), scores: open, reasonOf: () => ({ kind: 'because', title }) },
    );
  }
  const trends = new Float64Array(scores.length).fill(-Infinity);
  for (const [place, title] of input.trending.entries())
    if (scores[title]! > -Infinity) trends[title] = scores[title]! / 2 - place / candidatesMax;
  add(
    { kind: 'trending' },
    { titles: input.trending, scores: trends, reasonOf: () => ({ kind: 'trending' }) },
  );
  const fresh = new Float64Array(scores.length);
  for (let title = 0; title < fresh.length; title++)
    fresh[title] = freshness[title]! >= newFrom ? scores[title]! + 2 * freshness[title]! : -Infinity;
  add(
    { kind: 'new' },
    { titles: bestItems(fresh, candidatesMax), scores: fresh, reasonOf: () => ({ kind: 'new' }) },
  );
  for (const genre of genresInOrder(input)) {
    if (rows.filter(({ kind }) => kind === 'genre').length >= genreRowsMax) break;
    const titles = bestOf(catalogue.titlesOfGenre[genre]!, scores);
    add({ kind: 'genre', genre }, { titles, scores, reasonOf: () => ({ kind: 'genre', genre }) });
  }
  return rows;
}

interface RowSource {
  readonly titles: ArrayLike<number>;
  readonly scores: Float64Array;
  readonly count?: number;
  readonly reasonOf: (title: number) => Reason;
}

function pickRow(
  { titles, scores, count = rowLength, reasonOf }: RowSource,
  { catalogue, fraction, mayShow }: RowsInput,
): PickedTitle[] {
  const likeness = (one: number, other: number): number => genreLikeness(catalogue, one, other);
  return pick(titles, scores, { count, temperature, fraction, likeness, mayShow }).map((picked) => ({
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

/** Scores where another array still offers a title. */
function masked(scores: Float64Array, offered: Float64Array): Float64Array {
  const open = scores.slice();
  for (let title = 0; title < open.length; title++) if (offered[title] === -Infinity) open[title] = -Infinity;
  return open;
}

/** The best of some titles. */
function bestOf(titles: Uint32Array, scores: Float64Array): Uint32Array {
  const own = new Float64Array(titles.length);
  for (let at = 0; at < own.length; at++) own[at] = scores[titles[at]!]!;
  return bestItems(own, candidatesMax).map((at) => titles[at]!);
}

/** Genres, those that are most the person's first; then those of most titles. */
function genresInOrder({ catalogue, genreTaste }: RowsInput): number[] {
  const size = (genre: number): number => catalogue.titlesOfGenre[genre]!.length;
  return [...catalogue.genres.keys()].sort(
    (one, other) => genreTaste[other]! - genreTaste[one]! || size(other) - size(one) || one - other,
  );
}
