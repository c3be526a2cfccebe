import { bm25 } from './bm25.ts';
import type { Columns, Filter } from './columns.ts';
import { allWords, wordedTexts, type WordedText } from './document-words.ts';
import { expressionOf, variantsOf } from './expression.ts';
import { nameFields, searchFields } from './fts5-schema.ts';
import type { Lookups, Match, StoredRow } from './fts5-statements.ts';
import { highlightsOf } from './highlight.ts';
import type { SearchDocument, SearchField, SearchHit, SearchQuery, SearchResult } from './port.ts';
import {
  countedMax,
  facetValuesMax,
  isShortBeginning,
  queryWords,
  type QueryWord,
  type Synonyms,
} from './query-words.ts';
import type { Vocabulary } from './vocabulary.ts';

/** So few documents are asked one by one whether they have a beginning. */
const fewMax = 2000;
/** So many of each step are judged by their texts, or more where more are wanted. */
const judgedLeast = 60;
const titledMax = 20;
const wholeTitle = 10;
const titleBegins = 1.5;
/** What a word that is not there at all counts, in typos. */
const missing = 3;

/** What may have been meant by each word of a query, with its typos; empty until typos are looked for. */
type Typos = Map<QueryWord, ReadonlyMap<string, number>>;

/** What a query is answered from. */
export interface Index {
  readonly find: Lookups;
  readonly columns: Columns;
  readonly vocabulary: Vocabulary;
  readonly synonyms: Synonyms;
}

interface Candidate extends Omit<SearchHit, 'highlights'> {
  readonly document: SearchDocument;
}

/** Answers a query: step after step, each finding more than the one before, until there is enough. */
export function answer(query: SearchQuery, index: Index): SearchResult {
  const { limit = 20, offset = 0, facets = [], filters = {} } = query;
  const words = queryWords(query, index.synonyms);
  if (words.length === 0) return { hits: [], total: 0, facets: {} };
  const wanted = offset + limit;
  const found = new Map<number, Candidate>();
  const typos: Typos = new Map();
  const countsAll = facets.length > 0;
  const passes = index.columns.filter(filters);
  const few = index.columns.few(filters, fewMax);
  let widest: readonly number[] = [];
  for (const { matches, fields } of steps(words, index, { typos, isFound: () => found.size > 0 })) {
    const lists = matches.map((match) => matching(match, { index, passes, few, countsAll }));
    widest = lists.length > 1 ? [...new Set(lists.flat())] : (lists[0] ?? []);
    const fresh = found.size === 0 ? widest : widest.filter((number) => !found.has(number));
    const step = { words, index, typos, passes, fields, limit: Math.max(wanted, judgedLeast) };
    for (const [number, candidate] of candidates(fresh, step))
      if (!found.has(number)) found.set(number, candidate);
    if (found.size >= wanted) break;
  }
  return {
    hits: [...found.values()].slice(offset, wanted).map((hit) => highlighted(hit, words, typos)),
    total: Math.max(found.size, Math.min(widest.length, countedMax)),
    facets: index.columns.counts(widest, facets, facetValuesMax),
  };
}

interface Matching {
  readonly index: Index;
  readonly passes: Filter;
  /** All that the filters let through, where that is little. */
  readonly few: readonly number[] | undefined;
  readonly countsAll: boolean;
}

/** What a match finds that passes; of beginnings, which are kept in the order of popularity, no more than is counted. */
function matching(match: Match, { index, passes, few, countsAll }: Matching): readonly number[] {
  const { find, columns } = index;
  if (match.table === 'words') return find.words(match.text).filter(passes);
  // Most of those with a short beginning would be passed over.
  if (few !== undefined)
    return few.filter((number) => find.hasBeginning(match.text, columns.weight(number), number));
  if (countsAll) return find.beginnings(match.text).filter(passes);
  return [...find.mostPopular(match.text).filter(passes).take(countedMax)];
}

/** What is looked for in one step, and the fields that say how well it fits. */
interface Finding {
  readonly matches: readonly Match[];
  readonly fields: readonly SearchField[];
}

/** Names as they were written; descriptions too; where nothing was found, with typos; then with words left out. */
function* steps(
  words: readonly QueryWord[],
  { vocabulary }: Index,
  { typos, isFound }: { typos: Typos; isFound: () => boolean },
): Generator<Finding> {
  if (isShortBeginning(words)) {
    yield { matches: [{ table: 'beginnings', text: words[0]?.word ?? '' }], fields: nameFields };
    return;
  }
  const exact = expressionOf(words, () => []);
  const inNames = `{${nameFields.join(' ')}} : (${exact})`;
  yield { matches: [{ table: 'words', text: inNames }], fields: nameFields };
  yield inAll([{ table: 'words', text: exact }]);
  if (isFound()) return;
  for (const word of words)
    typos.set(word, new Map(variantsOf(word, vocabulary).map(({ term, typos: count }) => [term, count])));
  const of = (word: QueryWord) => [...(typos.get(word)?.keys() ?? [])];
  const matchOf = (some: readonly QueryWord[]): Match => ({ table: 'words', text: expressionOf(some, of) });
  if (words.some((word) => of(word).length > 0)) yield inAll([matchOf(words)]);
  if (isFound()) return;
  const known = words.filter((word) => documentsOf(word, of(word), vocabulary) > 0);
  if (known.length > 0 && known.length < words.length) yield inAll([matchOf(known)]);
  for (let left = known.length - 1; left > 0 && !isFound(); left = left > 1 ? 1 : 0)
    yield inAll(withoutOne(known, left).map(matchOf));
}

const inAll = (matches: readonly Match[]): Finding => ({ matches, fields: searchFields });

/** All but one of the words, each in turn; or with 1 `left`, each alone. */
function withoutOne(words: readonly QueryWord[], left: number): QueryWord[][] {
  return words.map((word) => (left === 1 ? [word] : words.filter((other) => other !== word)));
}

/** In how many documents a word or what may stand for it is. */
function documentsOf(word: QueryWord, variants: readonly string[], vocabulary: Vocabulary): number {
  const own = word.isBeginning ? vocabulary.documentsFrom(word.word) : vocabulary.documents(word.word);
  const others = word.others.map((other) => Math.min(...other.map((part) => vocabulary.documents(part))));
  return [...others, ...variants.map((variant) => vocabulary.documents(variant))].reduce(
    (sum, documents) => sum + documents,
    own,
  );
}

interface Step {
  readonly words: readonly QueryWord[];
  readonly index: Index;
  readonly typos: Typos;
  readonly passes: Filter;
  readonly fields: readonly SearchField[];
  readonly limit: number;
}

/**
 * What a step finds, the best first: fewer typos, then how well it fits. Judged are the most popular of what was found, and of
 * those whose title begins with what was typed: where there are many, popularity says more than a word once more in a text.
 */
function candidates(numbers: readonly number[], step: Step): [number, Candidate][] {
  const { words, index, typos, passes, fields, limit } = step;
  const { columns, find, vocabulary } = index;
  const typed = words.map(({ word }) => word).join(' ');
  const titled = find.titled(typed, words.at(-1)?.isBeginning === true).filter(passes);
  const counted = words.map((word) => {
    const variants = [...(typos.get(word)?.keys() ?? [])];
    const documents = Math.min(columns.count, documentsOf(word, variants, vocabulary));
    return { word, variants: new Set([...word.others.flat(), ...variants]), documents };
  });
  const { count: documents, meanLength } = columns;
  const chosen = new Set([...columns.heaviest(numbers, limit), ...columns.heaviest(titled, titledMax)]);
  const judged = [...chosen].flatMap((number): [number, Candidate][] => {
    const stored = find.stored(number);
    if (stored === undefined) return [];
    const document = JSON.parse(stored.body) as SearchDocument;
    const texts = wordedTexts(document, fields);
    const fit = bm25(texts, counted, { length: columns.length(number), documents, meanLength });
    const score = fit * columns.weight(number) * titleFit(stored, typed);
    return [[number, { id: document.id, score, typos: typosIn(texts, words, typos), document }]];
  });
  return judged.sort(([, one], [, other]) => one.typos - other.typos || other.score - one.score);
}

function titleFit({ title }: StoredRow, typed: string): number {
  if (title === typed) return wholeTitle;
  return title.startsWith(typed) ? titleBegins : 1;
}

/** How many typos were passed over for a document: for each word of the query the fewest. */
function typosIn(texts: readonly WordedText[], words: readonly QueryWord[], typos: Typos): number {
  if (typos.size === 0) return 0;
  const held = new Set(texts.flatMap(allWords));
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

/** A candidate with the places of what was found. */
function highlighted(
  { id, score, typos: count, document }: Candidate,
  words: readonly QueryWord[],
  typos: Typos,
): SearchHit {
  const meant = new Set([...typos.values()].flatMap((variants) => [...variants.keys()]));
  return { id, score, typos: count, highlights: highlightsOf(document, words, meant) };
}
