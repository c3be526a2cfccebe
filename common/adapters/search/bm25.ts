import type { WordedText } from './document-words.ts';
import type { SearchField } from './port.ts';
import type { QueryWord } from './query-words.ts';

/** How much a word counts by the field in which it stands. */
export const fieldWeights: Readonly<Record<SearchField, number>> = {
  title: 10,
  aliases: 8,
  people: 5,
  genres: 3,
  description: 1,
};
// How much further places of a word count less, and long documents: as in Lucene and FTS5.
const k1 = 1.2;
const b = 0.75;

/** How much popularity lifts: one of 1,000 views counts three times one of none. */
const popularityLift = 0.3;

/** How much a document counts by its popularity. */
export function popularityWeight(popularity: number): number {
  return 1 + popularityLift * Math.log1p(popularity);
}

/** A word of a query with what it finds, and in how many documents. */
export interface Counted {
  readonly word: QueryWord;
  /** Words that count as this one. */
  readonly variants: ReadonlySet<string>;
  readonly documents: number;
}

/** What BM25 has to know beside words: how long the document is and all are in the mean, in words, and how many they are. */
export interface Lengths {
  readonly length: number;
  readonly meanLength: number;
  readonly documents: number;
}

/** How rare a word is: the logarithm of the odds against meeting it (Robertson and Spärck Jones, above 0 as in Lucene). */
export function rarity(found: number, documents: number): number {
  return Math.log1p(Math.max(0, documents - found + 0.5) / (found + 0.5));
}

/**
 * How well a document fits words: BM25 (Robertson and Zaragoza 2009, eq. 3.15) with the places of a word weighed by their fields,
 * as FTS5 does it.
 */
export function bm25(texts: readonly WordedText[], words: readonly Counted[], of: Lengths): number {
  const long = k1 * (1 - b + (b * of.length) / Math.max(1, of.meanLength));
  return words.reduce((sum, counted) => {
    const places = texts.reduce(
      (total, text) => total + fieldWeights[text.field] * placesIn(text, counted),
      0,
    );
    return sum + (rarity(counted.documents, of.documents) * places * (k1 + 1)) / (places + long);
  }, 0);
}

function placesIn({ words, compounds }: WordedText, { word, variants }: Counted): number {
  let places = 0;
  for (const list of [words, compounds])
    for (const { word: held } of list)
      if (held === word.word || variants.has(held) || (word.isBeginning && held.startsWith(word.word)))
        places++;
  return places;
}
