import { openSqliteStore, runSqlite, type SqliteFile } from '../shared/sqlite-file.ts';
import { popularityWeight } from './bm25.ts';
import { Columns } from './columns.ts';
import {
  allWords,
  checkDocuments,
  fieldText,
  titleOf,
  wordedTexts,
  type WordedText,
} from './document-words.ts';
import { prepareSchema, searchFields } from './fts5-schema.ts';
import { changesOf, contentsOf, lookupsOf, type Lookups } from './fts5-statements.ts';
import type { Search, SearchDocument, SearchQuery, SearchResult } from './port.ts';
import { beginningMax, checkQuery, synonymsOf, type Synonyms } from './query-words.ts';
import { answer } from './query.ts';
import { Vocabulary } from './vocabulary.ts';

/**
 * Opens an index in one SQLite file, with FTS5; see openSqliteFile for its locking and durability.
 * Errors beside the port's: STORE_LOCKED.
 */
export async function openFts5Search(path: string): Promise<Search> {
  return openSqliteStore(path, {
    over: (file) => {
      prepareSchema(file);
      return new Fts5Search(file, path);
    },
  });
}

class Fts5Search implements Search {
  readonly #file: SqliteFile;
  readonly #path: string;
  readonly #changes: ReturnType<typeof changesOf>;
  readonly #lookups: Lookups;
  readonly #vocabulary: Vocabulary;
  readonly #columns = new Columns();
  #synonyms: Synonyms = new Map();
  #isWhole = false;

  constructor(file: SqliteFile, path: string) {
    this.#file = file;
    this.#path = path;
    this.#changes = changesOf(file);
    this.#lookups = lookupsOf(file);
    const { terms, columns } = contentsOf(file);
    this.#vocabulary = new Vocabulary(terms);
    for (const { facets, ...row } of columns)
      this.#columns.put(row.number, { ...row, facets: JSON.parse(facets) as SearchDocument['facets'] });
  }

  put(documents: readonly SearchDocument[]): Promise<void> {
    return this.#run(() => {
      checkDocuments(documents);
      this.#change(() => documents.flatMap((document) => this.#put(document)));
    });
  }

  remove(ids: readonly string[]): Promise<void> {
    return this.#run(() => {
      this.#change(() => ids.flatMap((id) => this.#remove(id)));
    });
  }

  setSynonyms(groups: readonly (readonly string[])[]): Promise<void> {
    return this.#run(() => {
      this.#synonyms = synonymsOf(groups);
    });
  }

  query(query: SearchQuery): Promise<SearchResult> {
    return this.#run(() => {
      checkQuery(query);
      const [find, vocabulary, columns] = [this.#lookups, this.#vocabulary, this.#columns];
      return answer(query, { find, vocabulary, columns, synonyms: this.#synonyms });
    });
  }

  count(): Promise<number> {
    return this.#run(() => this.#columns.count);
  }

  settle(): Promise<void> {
    this.#isWhole = true;
    return Promise.resolve();
  }

  isWhole(): Promise<boolean> {
    return Promise.resolve(this.#isWhole);
  }

  close(): Promise<void> {
    return this.#run(() => {
      this.#file.close();
    });
  }

  /** Runs changes of the file, and once they are committed those of what is kept in memory. */
  #change(work: () => (() => void)[]): void {
    for (const remember of this.#file.transaction(work)()) remember();
  }

  #put(document: SearchDocument): (() => void)[] {
    const held = this.#changes.held.get(document.id);
    const body = JSON.stringify(document);
    if (held !== undefined && this.#changes.body.get(held.number) === body) return [];
    const forget = this.#remove(document.id);
    const texts = wordedTexts(document);
    const row = {
      weight: popularityWeight(document.popularity),
      words: texts.reduce((sum, text) => sum + allWords(text).length, 0),
      facets: document.facets,
    };
    const { id } = document;
    const number =
      this.#changes.document.get(
        ...([held?.number ?? null, id, titleOf(texts)] as const),
        ...([row.weight, row.words, JSON.stringify(row.facets)] as const),
      ) ?? 0;
    this.#changes.putBody.run(number, body);
    this.#changes.words.run(number, ...searchFields.map((field) => fieldText(texts, field)));
    for (const beginning of beginningsOf(texts)) this.#changes.beginning.run(beginning, row.weight, number);
    return [
      ...forget,
      () => {
        this.#vocabulary.note(new Set(texts.flatMap(allWords)), 1);
        this.#columns.put(number, row);
      },
    ];
  }

  #remove(id: string): (() => void)[] {
    const held = this.#changes.held.get(id);
    if (held === undefined) return [];
    const { number, weight } = held;
    const texts = wordedTexts(JSON.parse(this.#changes.body.get(number) ?? '{}') as SearchDocument);
    for (const beginning of beginningsOf(texts)) this.#changes.removeBeginning.run(beginning, weight, number);
    for (const statement of this.#changes.removals) statement.run(number);
    return [
      () => {
        this.#vocabulary.note(new Set(texts.flatMap(allWords)), -1);
        this.#columns.remove(number);
      },
    ];
  }

  #run<T>(work: () => T): Promise<T> {
    return runSqlite(`search ${this.#path}`, work);
  }
}

/** The short beginnings of the words of names. */
function beginningsOf(texts: readonly WordedText[]): Set<string> {
  const names = texts.filter(({ field }) => field !== 'genres' && field !== 'description');
  return new Set(
    names
      .flatMap(allWords)
      .flatMap((word) =>
        Array.from({ length: Math.min(beginningMax, word.length) }, (_, at) => word.slice(0, at + 1)),
      ),
  );
}
