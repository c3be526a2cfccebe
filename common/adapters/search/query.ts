import { wordsOf } from '../../core/search-words.ts';
import { coded } from '../../runtime/errors.ts';
import { allWords, wordedTexts } from './document-words.ts';
import { expressionOf, variantsOf, type QueryWord } from './expression.ts';
import { nameFields } from './fts5-schema.ts';
import type { Finder, Match, StoredRow } from './fts5-statements.ts';
import type { SearchDocument, SearchHit, SearchQuery, SearchResult } from './port.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A lone word that is not longer is looked up among beginnings, which are kept in the order of popularity. */
export const beginningMax = 3;

const wordsMax = 10;
const wordCharactersMax = 64;
const limitMax = 100;
const offsetMax = 1000;
const countedMax = 1000;
const facetValuesMax = 100;
const filtersMax = 10;
/** The best of each step are judged by their titles too. */
const judgedLeast = 40;
const wholeTitle = 10;
const titleBegins = 1.5;
/** What a word that is not there at all counts, in typos. */
const missing = 3;

/** What may have been meant by each word of a query, with its typos; empty until typos are looked for. */
type Typos = Map<QueryWord, ReadonlyMap<string, number>>;

/** What a query is answered from. */
export interface Index {
  readonly find: Finder;
  readonly vocabulary: Vocabulary;
  readonly synonyms: ReadonlyMap<string, readonly (readonly string[])[]>;
}

interface Candidate extends Omit<SearchHit, 'highlights'> {
  readonly document: SearchDocument;
}

/** Refuses queries beyond the port's bounds. Errors: INVALID. */
export function checkQuery({ limit = 0, offset = 0, filters = {}, facets = [] }: SearchQuery): void {
  const isCount = (value: number, most: number): boolean =>
    Number.isInteger(value) && value >= 0 && value <= most;
  if (!isCount(limit, limitMax)) throw coded('INVALID', `limit is a whole number up to ${limitMax}`);
  if (!isCount(offset, offsetMax)) throw coded('INVALID', `offset is a whole number up to ${offsetMax}`);
  if (Object.keys(filters).length > filtersMax || facets.length > filtersMax)
    throw coded('INVALID', `at most ${filtersMax} filters and ${filtersMax} facets`);
}

/** Answers a query: step after step, each finding more than the one before, until there is enough. */
export function answer(query: SearchQuery, index: Index): SearchResult {
  const { limit = 20, offset = 0, facets = [] } = query;
  const words = queryWords(query, index);
  if (words.length === 0) return { hits: [], total: 0, facets: {} };
  const wanted = offset + limit;
  const found = new Map<number, Candidate>();
  const typos: Typos = new Map();
  let widest: Match | undefined;
  for (const match of steps(words, index, { typos, isFound: () => found.size > 0 })) {
    widest = match;
    const step = candidates(match, { words, index, typos, limit: Math.max(wanted, judgedLeast) });
    for (const [number, candidate] of step) if (!found.has(number)) found.set(number, candidate);
    if (found.size >= wanted) break;
  }
  if (widest === undefined) return { hits: [], total: 0, facets: {} };
  const hits = [...found.values()].slice(offset, wanted).map((hit) => highlighted(hit, words, typos));
  const match = widest;
  return {
    hits,
    total: Math.max(found.size, index.find.count(match, countedMax)),
    facets: Object.fromEntries(
      facets.map((name) => [
        name,
        Object.fromEntries(
          index.find.facet(match, name, facetValuesMax).map(({ value, found: count }) => [value, count]),
        ),
      ]),
    ),
  };
}

function queryWords({ text, isTyping = false }: SearchQuery, { synonyms }: Index): QueryWord[] {
  const words = wordsOf(text, wordsMax).map(({ word }) => word.slice(0, wordCharactersMax));
  // A space behind the last word says that it is finished.
  const isOpen = isTyping && !/\s$/.test(text);
  return words.map((word, at) => ({
    word,
    isBeginning: isOpen && at === words.length - 1,
    others: synonyms.get(word) ?? [],
  }));
}

/** Names as they were written; descriptions too; where nothing was found, with typos; then any of the words. */
function* steps(
  words: readonly QueryWord[],
  { vocabulary }: Index,
  { typos, isFound }: { typos: Typos; isFound: () => boolean },
): Generator<Match> {
  const [only] = words;
  if (words.length === 1 && only?.isBeginning === true && only.word.length <= beginningMax) {
    yield { table: 'beginnings', text: only.word };
    return;
  }
  const exact = expressionOf(words, () => []);
  yield { table: 'words', text: `{${nameFields}} : (${exact})` };
  yield { table: 'words', text: exact };
  if (isFound()) return;
  for (const word of words)
    typos.set(word, new Map(variantsOf(word, vocabulary).map(({ term, typos: count }) => [term, count])));
  const of = (word: QueryWord) => [...(typos.get(word)?.keys() ?? [])];
  if (words.some((word) => of(word).length > 0)) yield { table: 'words', text: expressionOf(words, of) };
  if (words.length > 1 && !isFound()) yield { table: 'words', text: expressionOf(words, of, 'OR') };
}

interface Step {
  readonly words: readonly QueryWord[];
  readonly index: Index;
  readonly typos: Typos;
  readonly limit: number;
}

/** What a step finds, the best first: fewer typos, then how well it fits. */
function candidates(match: Match, { words, index, typos, limit }: Step): [number, Candidate][] {
  const typed = words.map(({ word }) => word).join(' ');
  const rows = new Map(index.find.best(match, limit).map((row) => [row.number, row]));
  for (const row of index.find.titled(typed, limit)) rows.set(row.number, rows.get(row.number) ?? row);
  const judged = [...rows.values()].flatMap(({ number, score }): [number, Candidate][] => {
    const stored = index.find.stored(number);
    if (stored === undefined) return [];
    const document = JSON.parse(stored.body) as SearchDocument;
    const fit = score * titleFit(stored, typed);
    return [[number, { id: stored.id, score: fit, typos: typosIn(document, words, typos), document }]];
  });
  return judged.sort(([, one], [, other]) => one.typos - other.typos || other.score - one.score);
}

function titleFit({ title }: StoredRow, typed: string): number {
  if (title === typed) return wholeTitle;
  return title.startsWith(typed) ? titleBegins : 1;
}

/** How many typos were passed over for a document: for each word of the query the fewest. */
function typosIn(document: SearchDocument, words: readonly QueryWord[], typos: Typos): number {
  if (typos.size === 0) return 0;
  const held = new Set(wordedTexts(document).flatMap(allWords));
  const isHeld = ({ word, isBeginning, others }: QueryWord): boolean =>
    held.has(word) ||
    others.some((other) => other.every((part) => held.has(part))) ||
    (isBeginning && [...held].some((one) => one.startsWith(word)));
  return words.reduce((sum, word) => sum + (isHeld(word) ? 0 : fewest(typos.get(word), held)), 0);
}

function fewest(variants: ReadonlyMap<string, number> | undefined, held: ReadonlySet<string>): number {
  let least = missing;
  for (const [term, count] of variants ?? []) if (held.has(term)) least = Math.min(least, count);
  return least;
}

/** The texts in which words of the query stand, with their places. */
function highlighted(
  { id, score, typos: count, document }: Candidate,
  words: readonly QueryWord[],
  typos: Typos,
): SearchHit {
  const whole = new Set(words.flatMap(({ word, others }) => [word, ...others.flat()]));
  const beginnings = words.filter(({ isBeginning }) => isBeginning).map(({ word }) => word);
  const meant = new Set([...typos.values()].flatMap((variants) => [...variants.keys()]));
  const isFound = (word: string): boolean =>
    whole.has(word) || meant.has(word) || beginnings.some((beginning) => word.startsWith(beginning));
  const highlights = wordedTexts(document).flatMap(({ field, text, words: held, compounds }) => {
    const ranges = [...compounds, ...held]
      .filter(({ word }) => isFound(word))
      .sort((one, other) => one.from - other.from || other.to - one.to)
      .filter(({ to }, at, all) => !all.slice(0, at).some((before) => before.to >= to))
      .map(({ from, to }) => [from, to] as const);
    return ranges.length === 0 ? [] : [{ field, text, ranges }];
  });
  return { id, score, typos: count, highlights };
}
