import { typosAllowed } from '../../core/typos.ts';
import { fieldWeights } from './bm25.ts';
import { nameFields, searchFields } from './fts5-schema.ts';
import { beginningCharactersMax } from './opensearch-index.ts';
import type { SearchField, SearchQuery } from './port.ts';
import { countedMax, facetValuesMax, isShortBeginning, type QueryWord } from './query-words.ts';

/** A field of the index: those of the port, and `names`, in which all of them but the description are. */
type IndexField = SearchField | 'names';
const weights: Readonly<Record<IndexField, number>> = { ...fieldWeights, names: fieldWeights.people };

/** A query as OpenSearch is asked it: its Query DSL. */
export type Clause = Readonly<Record<string, unknown>>;

/** What a title that was typed whole counts, one that begins so, and one that has all words in its names. */
const wholeTitle = 10;
const titleBegins = 1.5;
const inNames = 1e6;
/** Words that a typo may have been made of, of each field at most. */
const variantsMax = 40;
/** How much fields beside the best one of a word count. */
const otherFields = 0.3;
/** Values of a facet that each shard tells, so that counts of the most frequent are whole. */
const shardValuesMax = 1000;
const serverTimeout = '4s';

/** Fields of one word are many, and each takes its time where typos are forgiven: names are looked through as one. */
const forgivingFields: readonly IndexField[] = ['names', 'description'];
const shortFields = nameFields.filter((field) => field !== 'genres');

/** How a query is asked: as it was written, or with typos forgiven and words left out. */
export interface Asked {
  readonly words: readonly QueryWord[];
  readonly query: SearchQuery;
  /** So many of the words have to be there; absent where all have to, as they were written. */
  readonly least?: number;
  readonly from: number;
  readonly size: number;
}

/** The body of a search. */
export function searchBody({ words, query, least, from, size }: Asked): object {
  const { facets = [], filters = {} } = query;
  return {
    ...{ from, size, timeout: serverTimeout, track_total_hits: countedMax },
    _source: ['body'],
    query: weighed(least === undefined ? asWritten(words) : forgiving(words, least), words, {
      ...{ filters, isExact: least === undefined },
    }),
    // Of equals always the same first, or pages would overlap.
    sort: [{ _score: 'desc' }, { id: 'asc' }],
    ...(facets.length > 0 && {
      aggs: Object.fromEntries(facets.map((name, at) => [String(at), countsOf(name)])),
    }),
  };
}

/** The body of a search for the document that has the most of the words, typos forgiven: its score is how many it has. */
export function mostWordsBody(words: readonly QueryWord[], { filters = {} }: SearchQuery): object {
  const should = words.map((word) => ({
    constant_score: { filter: wordClause(word, { fields: forgivingFields, isForgiving: true }), boost: 1 },
  }));
  return {
    ...{ size: 1, timeout: serverTimeout, _source: false, track_total_hits: false },
    query: { bool: { should, minimum_should_match: 1, filter: filterClauses(filters) } },
  };
}

/** The name of a facet's field: a dot would part it. */
export function facetField(name: string): string {
  return `facets.${facetKey(name)}`;
}

/** The name of a facet in a document. */
export function facetKey(name: string): string {
  return `_${encodeURIComponent(name.toWellFormed()).replaceAll('.', '%2E').replaceAll('*', '%2A')}`;
}

function asWritten(words: readonly QueryWord[]): Clause {
  // Most words begin with a letter or two: only names are looked through for them, the most popular first.
  const fields = isShortBeginning(words) ? shortFields : searchFields;
  return { bool: { must: words.map((word) => wordClause(word, { fields, isForgiving: false })) } };
}

function forgiving(words: readonly QueryWord[], least: number): Clause {
  const should = words.map((word) => wordClause(word, { fields: forgivingFields, isForgiving: true }));
  return { bool: { should, minimum_should_match: least } };
}

function weighed(
  found: Clause,
  words: readonly QueryWord[],
  { filters, isExact }: { filters: NonNullable<SearchQuery['filters']>; isExact: boolean },
): Clause {
  const typed = words.map(({ word }) => word).join(' ');
  const isOpen = words.at(-1)?.isBeginning === true;
  const named = words.map((word) => wordClause(word, { fields: ['names'], isForgiving: false }));
  return {
    function_score: {
      query: { bool: { must: [found], filter: filterClauses(filters) } },
      functions: [
        { field_value_factor: { field: 'weight' } },
        { filter: { term: { whole: typed } }, weight: wholeTitle },
        { filter: { prefix: { whole: isOpen ? typed : `${typed} ` } }, weight: titleBegins },
        ...(isExact ? [{ filter: { bool: { must: named } }, weight: inNames }] : []),
      ],
      ...{ score_mode: 'multiply', boost_mode: 'multiply' },
    },
  };
}

function filterClauses(filters: NonNullable<SearchQuery['filters']>): Clause[] {
  return Object.entries(filters).map(([name, values]) => ({ terms: { [facetField(name)]: values } }));
}

function countsOf(name: string): Clause {
  return {
    terms: { field: facetField(name), size: facetValuesMax, shard_size: shardValuesMax },
  };
}

interface WordOptions {
  readonly fields: readonly IndexField[];
  readonly isForgiving: boolean;
}

/** A word or what may stand for it, in any of some fields. */
function wordClause(word: QueryWord, { fields, isForgiving }: WordOptions): Clause {
  const inFields = (of: (field: IndexField) => Clause[]): Clause => ({
    dis_max: { tie_breaker: otherFields, queries: fields.flatMap(of) },
  });
  const own = (text: string) => inFields((field) => [termClause(field, text)]);
  const queries = [
    own(word.word),
    ...word.others.map((parts) => ({ bool: { must: parts.map(own) } })),
    ...(word.isBeginning ? [inFields((field) => [beginningClause(field, word.word)])] : []),
    ...(isForgiving && typosAllowed(word.word) > 0 ? [inFields((field) => typoClauses(field, word))] : []),
  ];
  return { dis_max: { queries } };
}

function termClause(field: IndexField, value: string): Clause {
  return { term: { [field]: { value, boost: weights[field] } } };
}

function beginningClause(field: IndexField, value: string): Clause {
  return { prefix: { [field]: { value, boost: weights[field] } } };
}

/**
 * One typo up to 8 letters, two in longer words, one in the first letter counting double: two behind the first letter, or one
 * anywhere; of what is still being typed by the beginnings that are in the index.
 */
function typoClauses(field: IndexField, { word, isBeginning }: QueryWord): Clause[] {
  const most = typosAllowed(word);
  const ways = [
    { fuzziness: most, prefix_length: 1 },
    ...(most > 1 ? [{ fuzziness: 1, prefix_length: 0 }] : []),
  ];
  const isShort = isBeginning && word.length <= beginningCharactersMax;
  const where = isShort ? [field, `${field}._index_prefix`] : [field];
  return where.flatMap((name) =>
    ways.map((way) => ({
      fuzzy: { [name]: { value: word, ...way, max_expansions: variantsMax, boost: weights[field] } },
    })),
  );
}
