import { wordedTexts } from './document-words.ts';
import type { SearchDocument, SearchHighlight } from './port.ts';
import type { QueryWord } from './query-words.ts';

/**
 * The texts of a document in which words of a query stand, with their places.
 *
 * @param meant words that count as one of the query's because of a typo
 */
export function highlightsOf(
  document: Pick<SearchDocument, 'texts'>,
  words: readonly QueryWord[],
  meant: ReadonlySet<string>,
): SearchHighlight[] {
  const whole = new Set(words.flatMap(({ word, others }) => [word, ...others.flat()]));
  const beginnings = words.filter(({ isBeginning }) => isBeginning).map(({ word }) => word);
  const isFound = (word: string): boolean =>
    whole.has(word) || meant.has(word) || beginnings.some((beginning) => word.startsWith(beginning));
  return wordedTexts(document).flatMap(({ field, text, words: held, compounds }) => {
    const ranges = [...compounds, ...held]
      .filter(({ word }) => isFound(word))
      .sort((one, other) => one.from - other.from || other.to - one.to)
      .filter(({ to }, at, all) => !all.slice(0, at).some((before) => before.to >= to))
      .map(({ from, to }) => [from, to] as const);
    return ranges.length === 0 ? [] : [{ field, text, ranges }];
  });
}
