import type { SqliteFile } from '../shared/sqlite-file.ts';
import { fieldWeights, searchFields } from './fts5-schema.ts';

/** A document that was found, and how well it fits: greater is better. */
export interface FoundRow {
  readonly number: number;
  readonly score: number;
}

export interface StoredRow {
  readonly id: string;
  /** The words of its title. */
  readonly title: string;
  /** The document as JSON. */
  readonly body: string;
}

/** The statements by which documents come and go. */
export function changesOf(file: SqliteFile) {
  const marks = searchFields.map(() => '?').join(', ');
  const removals = [
    'DELETE FROM documents WHERE number = ?',
    'DELETE FROM words WHERE rowid = ?',
    'DELETE FROM facets WHERE number = ?',
    'DELETE FROM beginnings WHERE number = ?',
  ];
  return {
    number: file.prepare<[string], number>('SELECT number FROM documents WHERE id = ?').pluck(),
    body: file.prepare<[string], string>('SELECT body FROM documents WHERE id = ?').pluck(),
    document: file
      .prepare<[string, string, string, number], number>(
        'INSERT INTO documents (id, title, body, weight) VALUES (?, ?, ?, ?) RETURNING number',
      )
      .pluck(),
    words: file.prepare<(number | string)[]>(
      `INSERT INTO words (rowid, ${searchFields.join(', ')}) VALUES (?, ${marks})`,
    ),
    facet: file.prepare<[string, string, number]>('INSERT OR IGNORE INTO facets VALUES (?, ?, ?)'),
    beginning: file.prepare<[string, number, number]>('INSERT OR IGNORE INTO beginnings VALUES (?, ?, ?)'),
    removals: removals.map((sql) => file.prepare<[number]>(sql)),
  };
}

/** What is asked of the index: FTS5's expression, or the beginning of a word of a name. */
export interface Match {
  readonly table: 'words' | 'beginnings';
  readonly text: string;
}

type Parameters = Record<string, string | number>;
const sources = {
  words: {
    from: 'words JOIN documents ON documents.number = words.rowid WHERE words MATCH @match',
    number: 'words.rowid',
    score: `-bm25(words, ${fieldWeights}) * documents.weight`,
  },
  beginnings: { from: 'beginnings WHERE beginning = @match', number: 'beginnings.number', score: 'weight' },
} as const;

/** Asks an index, with filters; statements are prepared once for each number of filters. */
export class Finder {
  readonly #file: SqliteFile;
  readonly #filters: readonly string[];
  readonly #parameters: Parameters;
  readonly #prepared: Map<string, unknown>;

  constructor(
    file: SqliteFile,
    filters: Readonly<Record<string, readonly string[]>>,
    prepared: Map<string, unknown>,
  ) {
    this.#file = file;
    this.#prepared = prepared;
    this.#filters = Object.keys(filters);
    this.#parameters = Object.fromEntries(
      Object.entries(filters).flatMap(([name, values], at) => [
        [`name${at}`, name],
        [`values${at}`, JSON.stringify(values)],
      ]),
    );
  }

  /** The best, the best first. */
  best(match: Match, limit: number): FoundRow[] {
    const { from, number, score } = sources[match.table];
    return this.#all<FoundRow>(
      `SELECT ${number} AS number, ${score} AS score FROM ${from} ${this.#and(number)} ORDER BY score DESC LIMIT @limit`,
      { match: match.text, limit },
    );
  }

  /** Documents whose title is just these words. */
  titled(title: string, limit: number): FoundRow[] {
    return this.#all<FoundRow>(
      `SELECT number, weight AS score FROM documents WHERE title = @title ${this.#and('documents.number')} ORDER BY weight DESC LIMIT @limit`,
      { title, limit },
    );
  }

  /** How many there are, counted up to `most`. */
  count(match: Match, most: number): number {
    const { from, number } = sources[match.table];
    const rows = this.#all<{ found: number }>(
      `SELECT count(*) AS found FROM (SELECT 1 FROM ${from} ${this.#and(number)} LIMIT @most)`,
      { match: match.text, most },
    );
    return rows[0]?.found ?? 0;
  }

  /** How many of them have each value of a facet, the most frequent values first. */
  facet(match: Match, name: string, limit: number): { value: string; found: number }[] {
    const { from, number } = sources[match.table];
    return this.#all(
      `SELECT value, count(*) AS found FROM facets WHERE name = @name AND number IN
         (SELECT ${number} FROM ${from} ${this.#and(number)})
       GROUP BY value ORDER BY found DESC, value LIMIT @limit`,
      { match: match.text, name, limit },
    );
  }

  stored(number: number): StoredRow | undefined {
    return this.#all<StoredRow>('SELECT id, title, body FROM documents WHERE number = @number', {
      number,
    })[0];
  }

  #and(number: string): string {
    return this.#filters
      .map(
        (_, at) =>
          `AND EXISTS (SELECT 1 FROM facets AS held WHERE held.name = @name${at} AND held.number = ${number}
             AND held.value IN (SELECT value FROM json_each(@values${at})))`,
      )
      .join(' ');
  }

  #all<Row>(sql: string, parameters: Parameters): Row[] {
    const statement =
      (this.#prepared.get(sql) as ReturnType<typeof prepare> | undefined) ?? prepare(this.#file, sql);
    this.#prepared.set(sql, statement);
    return statement.all({ ...(sql.includes('@name0') ? this.#parameters : {}), ...parameters }) as Row[];
  }
}

function prepare(file: SqliteFile, sql: string) {
  return file.prepare<[Parameters]>(sql);
}
