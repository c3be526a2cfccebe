import { wordsOf, type SearchWord } from '../../core/search-words.ts';
import { coded } from '../../runtime/errors.ts';
import { searchFields } from './fts5-schema.ts';
import type { SearchDocument, SearchField } from './port.ts';

const documentsMax = 10_000;
const wordsMax = 4000;
const facetValuesMax = 200;
const textCharactersMax = 100_000;
const idCharactersMax = 128;

/** A text of a document and its words. */
export interface WordedText {
  readonly field: SearchField;
  readonly text: string;
  readonly words: readonly SearchWord[];
  /** Words with a hyphen or an apostrophe between them, as one: `spiderman` of `Spider-Man`, `obrien` of `O’Brien`. */
  readonly compounds: readonly SearchWord[];
}

/** The texts of some fields of a document with their words, up to the bound of words for all of them. */
export function wordedTexts(
  { texts }: Pick<SearchDocument, 'texts'>,
  fields: readonly SearchField[] = searchFields,
): WordedText[] {
  let left = wordsMax;
  return fields.flatMap((field) =>
    (texts[field] ?? []).map((text) => {
      const words = wordsOf(text, left);
      left -= words.length;
      return { field, text, words, compounds: compoundsOf(text, words) };
    }),
  );
}

/** The words of a field as FTS5 is given them. */
export function fieldText(texts: readonly WordedText[], field: SearchField): string {
  return texts
    .filter((text) => text.field === field)
    .flatMap(allWords)
    .join(' ');
}

/** The words of a text and its compounds. */
export function allWords({ words, compounds }: WordedText): string[] {
  return [...words, ...compounds].map(({ word }) => word);
}

function compoundsOf(text: string, words: readonly SearchWord[]): SearchWord[] {
  return words.flatMap(({ word, from, to }, at) => {
    const next = words[at + 1];
    const isHyphenated = next?.from === to + 1 && /[-\u2010\u2011'’ʼ]/.test(text.charAt(to));
    return isHyphenated ? [{ word: word + next.word, from, to: next.to }] : [];
  });
}

/** The words of a title, to know the one that was typed whole. */
export function titleOf(texts: readonly WordedText[]): string {
  const title = texts.find(({ field }) => field === 'title');
  return (title?.words ?? []).map(({ word }) => word).join(' ');
}

/** Refuses documents beyond the port's bounds. Errors: INVALID. */
export function checkDocuments(documents: readonly SearchDocument[]): void {
  if (documents.length > documentsMax) throw coded('INVALID', `more than ${documentsMax} documents at once`);
  documents.forEach(checkDocument);
}

function checkDocument({ id, texts, facets, popularity }: SearchDocument): void {
  const refuse = (detail: string): never => {
    throw coded('INVALID', `document ${JSON.stringify(id.slice(0, 40))} ${detail}`);
  };
  if (id === '' || id.length > idCharactersMax) refuse(`needs an id of 1 to ${idCharactersMax} characters`);
  if (!Number.isFinite(popularity) || popularity < 0) refuse('needs a popularity of 0 or more');
  const characters = Object.values(texts)
    .flat()
    .reduce((sum, text) => sum + text.length, 0);
  if (characters > textCharactersMax) refuse(`has more than ${textCharactersMax} characters of text`);
  if (Object.values(facets).flat().length > facetValuesMax)
    refuse(`has more than ${facetValuesMax} values of facets`);
}
