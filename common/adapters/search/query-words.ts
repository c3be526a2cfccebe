import { wordsOf } from '../../core/search-words.ts';
import { coded } from '../../runtime/errors.ts';
import type { SearchQuery } from './port.ts';

/** A lone word that is not longer is looked up among beginnings of names, which every index keeps apart. */
export const beginningMax = 3;

const wordsMax = 10;
const wordCharactersMax = 64;
const limitMax = 100;
const offsetMax = 1000;
const filtersMax = 10;
const synonymGroupsMax = 10_000;
const synonymsMax = 20;
const synonymWordsMax = 5;

/** Totals are counted up to so many. */
export const countedMax = 1000;
/** So many values of a facet are counted. */
export const facetValuesMax = 100;

/** One word of a query, with all that may stand for it. */
export interface QueryWord {
  readonly word: string;
  /** Whether the word may be unfinished. */
  readonly isBeginning: boolean;
  /** Synonyms, each of one word or of several. */
  readonly others: readonly (readonly string[])[];
}

/** By each word what it may be called otherwise, each of one word or of several. */
export type Synonyms = ReadonlyMap<string, readonly (readonly string[])[]>;

/** Refuses queries beyond the port's bounds. Errors: INVALID. */
export function checkQuery({ limit = 0, offset = 0, filters = {}, facets = [] }: SearchQuery): void {
  const isCount = (value: number, most: number): boolean =>
    Number.isInteger(value) && value >= 0 && value <= most;
  if (!isCount(limit, limitMax)) throw coded('INVALID', `limit is a whole number up to ${limitMax}`);
  if (!isCount(offset, offsetMax)) throw coded('INVALID', `offset is a whole number up to ${offsetMax}`);
  if (Object.keys(filters).length > filtersMax || facets.length > filtersMax)
    throw coded('INVALID', `at most ${filtersMax} filters and ${filtersMax} facets`);
}

/** The words of a query as they are looked for. */
export function queryWords({ text, isTyping = false }: SearchQuery, synonyms: Synonyms): QueryWord[] {
  const words = wordsOf(text, wordsMax).map(({ word }) => word.slice(0, wordCharactersMax));
  // A space behind the last word says that it is finished.
  const isOpen = isTyping && !/\s$/.test(text);
  return words.map((word, at) => ({
    word,
    isBeginning: isOpen && at === words.length - 1,
    others: synonyms.get(word) ?? [],
  }));
}

/** Whether a query is nothing but the first letters of a word. */
export function isShortBeginning(words: readonly QueryWord[]): boolean {
  const [only] = words;
  return words.length === 1 && only?.isBeginning === true && only.word.length <= beginningMax;
}

/** What each word of some groups may be called otherwise. Errors: INVALID beyond the port's bounds. */
export function synonymsOf(groups: readonly (readonly string[])[]): Synonyms {
  if (groups.length > synonymGroupsMax || groups.some((group) => group.length > synonymsMax))
    throw coded('INVALID', `synonyms: at most ${synonymGroupsMax} groups of ${synonymsMax} words`);
  const synonyms = new Map<string, string[][]>();
  for (const group of groups) {
    const phrases = group.map((text) => wordsOf(text, synonymWordsMax).map(({ word }) => word));
    for (const phrase of phrases) {
      const [word, more] = phrase;
      if (word === undefined || more !== undefined) continue;
      const others = phrases.filter((other) => other !== phrase && other.length > 0);
      synonyms.set(word, [...(synonyms.get(word) ?? []), ...others].slice(0, synonymsMax));
    }
  }
  return synonyms;
}
