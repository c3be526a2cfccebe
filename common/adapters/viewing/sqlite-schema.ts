import { sqliteSchemaVersion, type SqliteFile } from '../shared/sqlite-file.ts';

/** Marks a file as viewing state: "NCvw". https://www.sqlite.org/fileformat.html#application_id */
const APPLICATION_ID = 0x4e437677;
const SCHEMA_VERSION = 1;

/** Makes the tables in a new file. Errors: STORE_CORRUPT for a file of another kind, STORE_NEWER. */
export function prepareSchema(file: SqliteFile): void {
  if (sqliteSchemaVersion(file, { applicationId: APPLICATION_ID, version: SCHEMA_VERSION }) > 0) return;
  file.transaction(() => {
    file.exec(`
      CREATE TABLE registers (profile TEXT NOT NULL, kind INTEGER NOT NULL, title TEXT NOT NULL,
        at_ms INTEGER NOT NULL, device TEXT NOT NULL, sequence INTEGER NOT NULL, value INTEGER NOT NULL,
        PRIMARY KEY (profile, kind, title)) STRICT, WITHOUT ROWID;
      CREATE TABLE viewings (profile TEXT NOT NULL, started_ms INTEGER NOT NULL, viewing TEXT NOT NULL,
        at_ms INTEGER NOT NULL, device TEXT NOT NULL, sequence INTEGER NOT NULL,
        position_ms INTEGER NOT NULL, watched_ms INTEGER NOT NULL, title TEXT NOT NULL,
        PRIMARY KEY (profile, started_ms DESC, viewing DESC)) STRICT, WITHOUT ROWID;
      CREATE INDEX viewings_started ON viewings (started_ms);
    `);
    file.pragma(`application_id = ${String(APPLICATION_ID)}`);
    file.pragma(`user_version = ${String(SCHEMA_VERSION)}`);
  })();
}
