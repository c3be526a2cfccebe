import type { SqliteFile } from '../shared/sqlite-file.ts';
import type { SearchField } from './port.ts';

/** Changes with the tables, and with how words are made of texts. */
const SCHEMA_VERSION = 1;

/** The fields, from what says most of a document to what says least. */
export const searchFields = [
  'title',
  'aliases',
  'people',
  'genres',
  'description',
] as const satisfies readonly SearchField[];

/** Weights of the fields in BM25. */
export const fieldWeights = '10, 8, 5, 3, 1';
export const nameFields = searchFields.filter((field) => field !== 'description').join(' ');

/** Makes the tables where there are none; an index of another version is thrown away: its owner puts everything again. */
export function prepareSchema(file: SqliteFile): void {
  const version = Number(file.pragma('user_version', { simple: true }));
  if (version === SCHEMA_VERSION) return;
  file.transaction(() => {
    const old = file
      .prepare<[], string>(
        `SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('documents', 'facets', 'beginnings', 'words')`,
      )
      .pluck()
      .all();
    for (const table of ['vocabulary', ...old]) file.exec(`DROP TABLE IF EXISTS "${table}"`);
    file.exec(`
      CREATE TABLE documents (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
        body TEXT NOT NULL, weight REAL NOT NULL) STRICT;
      CREATE INDEX documents_title ON documents (title);
      CREATE TABLE facets (name TEXT NOT NULL, value TEXT NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (name, value, number)) STRICT, WITHOUT ROWID;
      CREATE INDEX facets_number ON facets (number);
      CREATE TABLE beginnings (beginning TEXT NOT NULL, weight REAL NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (beginning, weight DESC, number)) STRICT, WITHOUT ROWID;
      CREATE INDEX beginnings_number ON beginnings (number);
      CREATE VIRTUAL TABLE words USING fts5(${searchFields.join(', ')}, content='', contentless_delete=1,
        tokenize="ascii", prefix='4 5');
      CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, 'row');
    `);
    file.pragma(`user_version = ${String(SCHEMA_VERSION)}`);
  })();
}
