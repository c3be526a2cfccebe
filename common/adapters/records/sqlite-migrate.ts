import { Kysely, SqliteDialect, sql, type Transaction } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import { assert } from '../../runtime/errors.ts';
import { sqliteError, type SqliteFile } from '../shared/sqlite-file.ts';
import { APPLICATION_ID, SCHEMA_VERSION } from './sqlite-schema.ts';

// No schema of types: a migration meets tables as they were, not as they are.
type AnyTables = Record<string, never>;
type Step = (transaction: Transaction<AnyTables>) => Promise<void>;

/** Brings the file to SCHEMA_VERSION; every step whole or not at all. Loaded only when there is something to do. */
export async function migrateRecords(database: SqliteFile): Promise<void> {
  assert(steps.length === SCHEMA_VERSION, 'every version of the schema has one step');
  // Never destroyed: that would close the file, which its caller goes on using.
  const kysely = new Kysely<AnyTables>({ dialect: new SqliteDialect({ database }) });
  const provider = { getMigrations: () => Promise.resolve(migrations(database)) };
  const { error } = await new Migrator({ db: kysely, provider }).migrateToLatest();
  if (error !== undefined) throw sqliteError(error, 'bringing the schema up to date');
}

const steps: readonly Step[] = [
  async (transaction) => {
    await sql`CREATE TABLE records (
      collection TEXT NOT NULL,
      key TEXT NOT NULL,
      version INTEGER NOT NULL,
      value TEXT NOT NULL,
      PRIMARY KEY (collection, key)
    ) STRICT`.execute(transaction);
    await sql`CREATE TABLE revision (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL) STRICT`.execute(
      transaction,
    );
    await sql`INSERT INTO revision VALUES (1, 0)`.execute(transaction);
  },
];

// The Migrator's own list of what was run is no part of a step's transaction: the file's user_version is.
function migrations(database: SqliteFile): Record<string, Migration> {
  const wrap = (step: Step, version: number): Migration => ({
    async up(db: Kysely<AnyTables>) {
      if (Number(database.pragma('user_version', { simple: true })) >= version) return;
      await db.transaction().execute(async (transaction) => {
        await step(transaction);
        await sql.raw(`PRAGMA user_version = ${String(version)}`).execute(transaction);
        await sql.raw(`PRAGMA application_id = ${String(APPLICATION_ID)}`).execute(transaction);
      });
    },
  });
  return Object.fromEntries(
    steps.map((step, index) => [String(index + 1).padStart(4, '0'), wrap(step, index + 1)]),
  );
}
