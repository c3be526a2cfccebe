import { similarTerms, typosAllowed } from '../../core/typos.ts';
import { coded } from '../../runtime/errors.ts';
import { allWords, wordedTexts } from './document-words.ts';
import { highlightsOf } from './highlight.ts';
import type { Asked } from './opensearch-query.ts';
import type { SearchDocument, SearchHit, SearchResult } from './port.ts';
import type { QueryWord } from './query-words.ts';

export type Found = SearchResult;

/** What a word that is not there at all counts, in typos. */
const missing = 3;

interface Answer {
  readonly timed_out: boolean;
  readonly hits: {
    readonly total: { readonly value: number };
    readonly hits: readonly { readonly _score: number; readonly _source: { readonly body: string } }[];
  };
  readonly aggregations?: Readonly<
    Record<string, { readonly buckets: readonly { readonly key: string; readonly doc_count: number }[] }>
  >;
}

/** A server's answer as the port's. Errors: STORE_UNAVAILABLE for half an answer. */
export function readAnswer(value: unknown, { words, query, least }: Asked): Found {
  const { timed_out: isLate, hits, aggregations = {} } = value as Answer;
  if (isLate) throw coded('STORE_UNAVAILABLE', 'the search server did not come to an end in time; try again');
  const { facets = [] } = query;
  const counts = facets.map((name, at) => {
    const buckets = aggregations[String(at)]?.buckets ?? [];
    return [name, Object.fromEntries(buckets.map(({ key, doc_count: count }) => [key, count]))];
  });
  return {
    hits: hits.hits.map(({ _score: score, _source }) => {
      const document = JSON.parse(_source.body) as SearchDocument;
      return hitOf(document, { score, words, isForgiving: least !== undefined });
    }),
    total: hits.total.value,
    facets: Object.fromEntries(counts) as SearchResult['facets'],
  };
}

function hitOf(
  document: SearchDocument,
  { score, words, isForgiving }: { score: number; words: readonly QueryWord[]; isForgiving: boolean },
): SearchHit {
  const held = isForgiving ? [...new Set(wordedTexts(document).flatMap(allWords))].sort() : [];
  const meant = new Set<string>();
  const typos = isForgiving ? words.reduce((sum, word) => sum + typosOf(word, held, meant), 0) : 0;
  return { id: document.id, score, typos, highlights: highlightsOf(document, words, meant) };
}

/** How many typos were passed over to find a word in a document; the words that it may have meant there are noted. */
function typosOf(
  { word, isBeginning, others }: QueryWord,
  held: readonly string[],
  meant: Set<string>,
): number {
  const has = (text: string): boolean => held.includes(text);
  const isHeld =
    has(word) ||
    others.some((parts) => parts.every(has)) ||
    (isBeginning && held.some((one) => one.startsWith(word)));
  const most = typosAllowed(word);
  const similar = most === 0 ? [] : similarTerms(held, { word, isBeginning, most });
  for (const { term } of similar) meant.add(term);
  if (isHeld) return 0;
  return similar.reduce((least, { typos }) => Math.min(least, typos), missing);
}
