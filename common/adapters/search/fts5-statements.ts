import type { SqliteFile } from '../shared/sqlite-file.ts';
import { searchFields } from './fts5-schema.ts';

/** A document as it is stored, as JSON, with the words of its title. */
export interface StoredRow {
  readonly title: string;
  readonly body: string;
}

/** What is kept of a document for all that are found with it; see Columns. */
export interface ColumnRow {
  readonly number: number;
  readonly weight: number;
  readonly words: number;
  /** As JSON. */
  readonly facets: string;
}

/** The statements by which documents come and go. */
export function changesOf(file: SqliteFile) {
  const marks = searchFields.map(() => '?').join(', ');
  const removals = [
    'DELETE FROM documents WHERE number = ?',
    'DELETE FROM bodies WHERE number = ?',
    'DELETE FROM words WHERE rowid = ?',
  ];
  return {
    held: file.prepare<[string], Pick<ColumnRow, 'number' | 'weight'>>(
      'SELECT number, weight FROM documents WHERE id = ?',
    ),
    body: file.prepare<[number], string>('SELECT body FROM bodies WHERE number = ?').pluck(),
    document: file
      .prepare<[number | null, string, string, number, number, string], number>(
        'INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?) RETURNING number',
      )
      .pluck(),
    putBody: file.prepare<[number, string]>('INSERT INTO bodies VALUES (?, ?)'),
    words: file.prepare<(number | string)[]>(
      `INSERT INTO words (rowid, ${searchFields.join(', ')}) VALUES (?, ${marks})`,
    ),
    beginning: file.prepare<[string, number, number]>('INSERT OR IGNORE INTO beginnings VALUES (?, ?, ?)'),
    removeBeginning: file.prepare<[string, number, number]>(
      'DELETE FROM beginnings WHERE beginning = ? AND weight = ? AND number = ?',
    ),
    removals: removals.map((sql) => file.prepare<[number]>(sql)),
  };
}

/** What is asked of the index: FTS5's expression, or the beginning of a word of a name. */
export interface Match {
  readonly table: 'words' | 'beginnings';
  readonly text: string;
}

/** Documents that begin with what was typed are looked at up to so many. */
const titlesMax = 2000;
/** A word that more documents have than this says so little that the rest of them is passed over. */
const matchesMax = 50_000;

/** The statements by which documents are found. */
export function lookupsOf(file: SqliteFile) {
  const words = file
    .prepare<[string], number>(`SELECT rowid FROM words WHERE words MATCH ? LIMIT ${String(matchesMax)}`)
    .pluck();
  const beginnings = file
    .prepare<[string], number>('SELECT number FROM beginnings WHERE beginning = ? ORDER BY weight DESC')
    .pluck();
  const hasBeginning = file
    .prepare<[string, number, number], number>(
      'SELECT 1 FROM beginnings WHERE beginning = ? AND weight = ? AND number = ?',
    )
    .pluck();
  const titles = file
    .prepare<[string, string], number>(
      `SELECT number FROM documents WHERE title >= ? AND title < ? ORDER BY title LIMIT ${String(titlesMax)}`,
    )
    .pluck();
  const stored = file.prepare<[number], StoredRow>(
    'SELECT title, body FROM documents JOIN bodies USING (number) WHERE number = ?',
  );
  return {
    /** Numbers of the documents that FTS5's expression finds. */
    words: (text: string): number[] => words.all(text),
    /** Numbers of those of which a word of a name begins so, the most popular first. */
    beginnings: (text: string): number[] => beginnings.all(text),
    /** The same, one by one. */
    mostPopular: (text: string): IteratorObject<number> => Iterator.from(beginnings.iterate(text)),
    hasBeginning: (text: string, weight: number, number: number): boolean =>
      hasBeginning.get(text, weight, number) !== undefined,
    /** Numbers of those whose title begins with these words, the last of which may be unfinished. */
    titled: (words: string, isOpen: boolean): number[] =>
      titles.all(words, `${words}${isOpen ? '' : ' '}\u{10ffff}`),
    stored: (number: number): StoredRow | undefined => stored.get(number),
  };
}
export type Lookups = ReturnType<typeof lookupsOf>;

/** What is read into memory when an index is opened. */
export function contentsOf(file: SqliteFile) {
  return {
    terms: file.prepare<[], [string, number]>('SELECT term, doc FROM vocabulary').raw().iterate(),
    columns: file.prepare<[], ColumnRow>('SELECT number, weight, words, facets FROM documents').iterate(),
  };
}
