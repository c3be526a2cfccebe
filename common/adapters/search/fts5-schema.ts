import type { SqliteFile } from '../shared/sqlite-file.ts';
import type { SearchField } from './port.ts';

/** Changes with the tables, and with how words are made of texts. */
const SCHEMA_VERSION = 3;

/** The fields, from what says most of a document to what says least. */
export const searchFields = [
  'title',
  'aliases',
  'people',
  'genres',
  'description',
] as const satisfies readonly SearchField[];

export const nameFields = searchFields.filter((field) => field !== 'description');

/** Makes the tables where there are none; an index of another version is thrown away: its owner puts everything again. */
export function prepareSchema(file: SqliteFile): void {
  const version = Number(file.pragma('user_version', { simple: true }));
  if (version === SCHEMA_VERSION) return;
  file.transaction(() => {
    const old = file
      .prepare<[], string>(
        `SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('documents', 'bodies', 'facets', 'beginnings', 'words')`,
      )
      .pluck()
      .all();
    for (const table of ['vocabulary', ...old]) file.exec(`DROP TABLE IF EXISTS "${table}"`);
    file.exec(`
      CREATE TABLE documents (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
        weight REAL NOT NULL, words INTEGER NOT NULL, facets TEXT NOT NULL) STRICT;
      CREATE INDEX documents_title ON documents (title);
      CREATE TABLE bodies (number INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
      CREATE TABLE beginnings (beginning TEXT NOT NULL, weight REAL NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (beginning, weight DESC, number)) STRICT, WITHOUT ROWID;
      CREATE VIRTUAL TABLE words USING fts5(${searchFields.join(', ')}, content='', contentless_delete=1,
        tokenize="ascii", detail='column', prefix='1 2 3 4 5');
      CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, 'row');
    `);
    file.pragma(`user_version = ${String(SCHEMA_VERSION)}`);
  })();
}
