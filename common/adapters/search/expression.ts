import { typosAllowed, type SimilarTerm } from '../../core/typos.ts';
import type { Vocabulary } from './vocabulary.ts';

/** One word of a query, with all that may stand for it. */
export interface QueryWord {
  readonly word: string;
  /** Whether the word may be unfinished. */
  readonly isBeginning: boolean;
  /** Synonyms, each of one word or of several. */
  readonly others: readonly (readonly string[])[];
}

/** So many variants of a word at most: those of the fewest typos. */
const variantsMax = 40;

/** FTS5's expression for words that are all to be found. */
export function expressionOf(
  words: readonly QueryWord[],
  variants: (word: QueryWord) => readonly string[],
): string {
  return words
    .map((word) => {
      const own = word.isBeginning ? `"${word.word}" *` : quoted(word.word);
      const others = word.others.map((other) => `(${other.map(quoted).join(' AND ')})`);
      return `(${[own, ...others, ...variants(word).map(quoted)].join(' OR ')})`;
    })
    .join(' AND ');
}

const quoted = (word: string): string => `"${word}"`;

/** Words that somebody may have meant instead, those of the fewest typos first. */
export function variantsOf({ word, isBeginning }: QueryWord, vocabulary: Vocabulary): SimilarTerm[] {
  const most = typosAllowed(word);
  if (most === 0) return [];
  return vocabulary
    .similar({ word, isBeginning, most })
    .filter(({ typos }) => typos > 0)
    .sort((one, other) => one.typos - other.typos || one.term.length - other.term.length)
    .slice(0, variantsMax);
}
