import { wordsOf } from '../../core/search-words.ts';
import { coded } from '../../runtime/errors.ts';
import { openSqliteFile, sqliteError, type SqliteFile } from '../shared/sqlite-file.ts';
import { allWords, checkDocument, fieldText, titleOf, wordedTexts } from './document-words.ts';
import { prepareSchema, searchFields } from './fts5-schema.ts';
import { changesOf, Finder } from './fts5-statements.ts';
import type { Search, SearchDocument, SearchQuery, SearchResult } from './port.ts';
import { answer, beginningMax, checkQuery } from './query.ts';
import { Vocabulary } from './vocabulary.ts';

const documentsMax = 10_000;
const synonymGroupsMax = 10_000;
const synonymsMax = 20;
/** How much popularity lifts: one of 1,000 views counts three times one of none. */
const popularityLift = 0.3;

/**
 * Opens an index in one SQLite file, with FTS5; see openSqliteFile for its locking and durability.
 * Errors beside the port's: STORE_LOCKED.
 */
export async function openFts5Search(path: string): Promise<Search> {
  const file = await openSqliteFile(path);
  try {
    prepareSchema(file);
    return new Fts5Search(file, path);
  } catch (error) {
    file.close();
    throw sqliteError(error, `opening ${path}`);
  }
}

class Fts5Search implements Search {
  readonly #file: SqliteFile;
  readonly #path: string;
  readonly #changes: ReturnType<typeof changesOf>;
  readonly #vocabulary: Vocabulary;
  readonly #prepared = new Map<string, unknown>();
  #synonyms = new Map<string, readonly (readonly string[])[]>();

  constructor(file: SqliteFile, path: string) {
    this.#file = file;
    this.#path = path;
    this.#changes = changesOf(file);
    this.#vocabulary = new Vocabulary(file.prepare<[], string>('SELECT term FROM vocabulary').pluck().all());
  }

  put(documents: readonly SearchDocument[]): Promise<void> {
    return this.#run(() => {
      if (documents.length > documentsMax)
        throw coded('INVALID', `more than ${documentsMax} documents at once`);
      documents.forEach(checkDocument);
      this.#file.transaction(() => {
        for (const document of documents) this.#put(document);
      })();
    });
  }

  remove(ids: readonly string[]): Promise<void> {
    return this.#run(() => {
      this.#file.transaction(() => {
        for (const id of ids) this.#remove(id);
      })();
    });
  }

  setSynonyms(groups: readonly (readonly string[])[]): Promise<void> {
    return this.#run(() => {
      if (groups.length > synonymGroupsMax || groups.some((group) => group.length > synonymsMax))
        throw coded('INVALID', `synonyms: at most ${synonymGroupsMax} groups of ${synonymsMax} words`);
      const synonyms = new Map<string, string[][]>();
      for (const group of groups) {
        const phrases = group.map((text) => wordsOf(text, 5).map(({ word }) => word));
        for (const phrase of phrases) {
          const [word, more] = phrase;
          if (word === undefined || more !== undefined) continue;
          const others = phrases.filter((other) => other !== phrase && other.length > 0);
          synonyms.set(word, [...(synonyms.get(word) ?? []), ...others].slice(0, synonymsMax));
        }
      }
      this.#synonyms = synonyms;
    });
  }

  query(query: SearchQuery): Promise<SearchResult> {
    return this.#run(() => {
      checkQuery(query);
      const find = new Finder(this.#file, query.filters ?? {}, this.#prepared);
      return answer(query, { find, vocabulary: this.#vocabulary, synonyms: this.#synonyms });
    });
  }

  count(): Promise<number> {
    return this.#run(
      () => this.#file.prepare<[], number>('SELECT count(*) FROM documents').pluck().get() ?? 0,
    );
  }

  close(): Promise<void> {
    return this.#run(() => {
      this.#file.close();
    });
  }

  #put(document: SearchDocument): void {
    const body = JSON.stringify(document);
    if (this.#changes.body.get(document.id) === body) return;
    this.#remove(document.id);
    const texts = wordedTexts(document);
    const weight = 1 + popularityLift * Math.log1p(document.popularity);
    const number = this.#changes.document.get(document.id, titleOf(texts), body, weight) ?? 0;
    this.#changes.words.run(number, ...searchFields.map((field) => fieldText(texts, field)));
    for (const [name, values] of Object.entries(document.facets))
      for (const value of values) this.#changes.facet.run(name, value, number);
    for (const text of texts) {
      for (const word of allWords(text)) {
        this.#vocabulary.add(word);
        if (text.field === 'genres' || text.field === 'description') continue;
        for (let length = 1; length <= Math.min(beginningMax, word.length); length++)
          this.#changes.beginning.run(word.slice(0, length), weight, number);
      }
    }
  }

  #remove(id: string): void {
    const number = this.#changes.number.get(id);
    if (number === undefined) return;
    for (const statement of this.#changes.removals) statement.run(number);
  }

  /** better-sqlite3 works at once, in this thread; the port is a promise for the engines that do not. */
  #run<T>(work: () => T): Promise<T> {
    return Promise.try(work).catch((error: unknown) => {
      throw sqliteError(error, `search ${this.#path}`);
    });
  }
}
