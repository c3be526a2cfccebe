import { createHash } from 'node:crypto';
import type { Clock } from '../../runtime/clock.ts';
import { coded } from '../../runtime/errors.ts';
import { popularityWeight } from './bm25.ts';
import { checkDocuments, fieldText, titleOf, wordedTexts } from './document-words.ts';
import { nameFields, searchFields } from './fts5-schema.ts';
import { OpenSearchClient, type OpenSearchServer } from './opensearch-client.ts';
import { writeLines, type WriteLine } from './opensearch-bulk.ts';
import { VersionedIndex } from './opensearch-index.ts';
import { facetKey, mostWordsBody, searchBody, type Asked } from './opensearch-query.ts';
import { readAnswer, type Found } from './opensearch-answer.ts';
import type { Search, SearchDocument, SearchQuery, SearchResult } from './port.ts';
import {
  checkQuery,
  isShortBeginning,
  queryWords,
  synonymsOf,
  type QueryWord,
  type Synonyms,
} from './query-words.ts';
import { typosAllowed } from '../../core/typos.ts';

const documentsAtOnce = 500;
const queryMs = 5000;
const lookupMs = 30_000;
/** What was found with typos is put in order by their number: so many at least. */
const forgivenLeast = 60;
const forgivenMost = 200;
const titleCharactersMax = 1000;

/**
 * An index in an OpenSearch cluster (or one of a compatible server); nothing is asked of it before the first call.
 *
 * @param name what indices and aliases begin with
 */
export function openOpenSearch(server: OpenSearchServer, name: string): Search {
  return new OpenSearchIndex(new OpenSearchClient(server), { name, clock: server.clock });
}

class OpenSearchIndex implements Search {
  readonly #client: OpenSearchClient;
  readonly #index: VersionedIndex;
  readonly #clock: Clock;
  #synonyms: Synonyms = new Map();

  constructor(client: OpenSearchClient, { name, clock }: { name: string; clock: Clock }) {
    this.#client = client;
    this.#clock = clock;
    this.#index = new VersionedIndex(client, name);
  }

  async put(documents: readonly SearchDocument[]): Promise<void> {
    checkDocuments(documents);
    // Of several with one id the last one stands.
    const all = [...new Map(documents.map((document) => [document.id, document])).values()];
    for (let from = 0; from < all.length; from += documentsAtOnce) {
      const lines = all.slice(from, from + documentsAtOnce).map(lineOf);
      const held = await this.#digests(lines.map(({ id }) => id));
      await this.#write(lines.filter(({ id, digest }) => held.get(id) !== digest));
    }
  }

  async remove(ids: readonly string[]): Promise<void> {
    await this.#index.make();
    await this.#write(ids.map((id) => ({ id })));
  }

  setSynonyms(groups: readonly (readonly string[])[]): Promise<void> {
    return Promise.resolve().then(() => {
      this.#synonyms = synonymsOf(groups);
    });
  }

  async query(query: SearchQuery): Promise<SearchResult> {
    checkQuery(query);
    const { limit = 20, offset = 0 } = query;
    const words = queryWords(query, this.#synonyms);
    if (words.length === 0) return { hits: [], total: 0, facets: {} };
    const exact = await this.#ask({ words, query, from: offset, size: limit });
    if (exact.total > 0 || isShortBeginning(words)) return exact;
    if (words.length === 1 && words.every(({ word }) => typosAllowed(word) === 0)) return exact;
    const all = await this.#askForgiving({ words, query, least: words.length });
    if (all.total > 0 || words.length === 1) return all;
    const least = await this.#mostWords(words, query);
    return least === 0 ? exact : await this.#askForgiving({ words, query, least });
  }

  async count(): Promise<number> {
    await this.#index.make();
    const { value } = await this.#client.call({
      ...{ method: 'GET', path: `/${this.#index.write}/_count` },
      ...{ timeoutMs: lookupMs, retriesMax: 2 },
    });
    return Number((value as { count?: unknown }).count);
  }

  settle(): Promise<void> {
    return this.#index.settle();
  }

  isWhole(): Promise<boolean> {
    return this.#index.look();
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #ask(asked: Asked): Promise<Found> {
    return readAnswer(await this.#search(searchBody(asked)), asked);
  }

  /** With typos forgiven: those of the fewest come first, as far as anybody turns pages. */
  async #askForgiving(asked: Required<Pick<Asked, 'words' | 'query' | 'least'>>): Promise<Found> {
    const { limit = 20, offset = 0 } = asked.query;
    const wanted = offset + limit;
    if (wanted > forgivenMost) return await this.#ask({ ...asked, from: offset, size: limit });
    const found = await this.#ask({ ...asked, from: 0, size: Math.max(wanted, forgivenLeast) });
    const hits = found.hits.toSorted((one, other) => one.typos - other.typos || other.score - one.score);
    return { ...found, hits: hits.slice(offset, wanted) };
  }

  /** How many of the words the document has that has the most of them. */
  async #mostWords(words: readonly QueryWord[], query: SearchQuery): Promise<number> {
    const answer = await this.#search(mostWordsBody(words, query));
    const { hits } = answer as { hits: { hits: readonly { _score: number }[] } };
    return Math.round(hits.hits[0]?._score ?? 0);
  }

  async #search(body: object): Promise<unknown> {
    await this.#index.make();
    const index = this.#index.read;
    const { status, value } = await this.#client.call({
      // Half an answer would be taken for a whole one.
      ...{ method: 'POST', path: `/${index}/_search?allow_partial_search_results=false`, body },
      ...{ timeoutMs: queryMs, retriesMax: 1, answers: [404] },
    });
    if (status !== 404) return value;
    this.#index.lost();
    throw coded(
      'STORE_UNAVAILABLE',
      `the index ${index} is not on the search server; it is made anew from the titles, which may take minutes`,
    );
  }

  /** Digests of the documents that are there. */
  async #digests(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    await this.#index.make();
    const { value } = await this.#client.call({
      ...{ method: 'POST', path: `/${this.#index.write}/_mget?_source_includes=digest`, body: { ids } },
      ...{ timeoutMs: lookupMs, retriesMax: 4, answers: [404] },
    });
    const { docs = [] } = value as { docs?: readonly HeldDocument[] };
    // An index that is not there tells so for each.
    if (docs.length === 0 || docs.some(({ error }) => error !== undefined)) await this.#makeAnew();
    return new Map(
      docs.flatMap(({ _id, _source }) => (_source === undefined ? [] : [[_id, _source.digest]])),
    );
  }

  async #makeAnew(): Promise<void> {
    this.#index.lost();
    await this.#index.make();
  }

  async #write(lines: readonly WriteLine[]): Promise<void> {
    if (lines.length === 0) return;
    await writeLines({ client: this.#client, alias: this.#index.write, clock: this.#clock }, lines);
  }
}

interface HeldDocument {
  readonly _id: string;
  readonly _source?: { readonly digest: string };
  readonly error?: unknown;
}

/** A document as it is written. */
function lineOf(document: SearchDocument): Required<WriteLine> & { digest: string } {
  const body = JSON.stringify(document);
  const digest = createHash('sha256').update(body).digest('base64');
  const texts = wordedTexts(document);
  const facets = Object.entries(document.facets).map(([name, values]) => [facetKey(name), values]);
  const { id } = document;
  return {
    ...{ id, digest },
    source: JSON.stringify({
      ...Object.fromEntries(searchFields.map((field) => [field, fieldText(texts, field)])),
      names: nameFields.map((field) => fieldText(texts, field)).join(' '),
      ...{ id, body, digest, whole: titleOf(texts).slice(0, titleCharactersMax) },
      ...{ weight: popularityWeight(document.popularity), facets: Object.fromEntries(facets) as object },
    }),
  };
}
