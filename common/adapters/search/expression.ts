import { typosAllowed, type SimilarTerm } from '../../core/typos.ts';
import type { QueryWord } from './query-words.ts';
import type { Vocabulary } from './vocabulary.ts';

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
