import { closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import type { ProblemCode } from '../../contract/problem.ts';
import { CodedError, coded, systemCode } from '../../runtime/errors.ts';
import { makeDirectory } from '../../runtime/durable.ts';
import { storeError } from './store-error.ts';

/** A database file that this process alone holds. */
export type SqliteFile = Database.Database;

/** How long to wait for a predecessor that is on its way out. */
export interface SqliteFileOptions {
  lockWaitMs?: number | undefined;
  /** Who sees to it that a commit is on the disk: SQLite, while the process waits; or the file's owner, by syncing the log. */
  syncs?: 'each-commit' | 'by-owner' | undefined;
}

// The wait blocks the process, which at start has nothing else to do.
const LOCK_WAIT_MS = 1000;
const WAL_SIZE_BYTES_MAX = 64 * 1024 * 1024;
const WRITTEN_ANEW_BYTES_MAX = 128 * 1024 * 1024;

/**
 * Opens a SQLite file (made when absent, mode 0600) in WAL mode under an exclusive lock of the kernel, which ends with the
 * process however it ends. `synchronous=FULL`: an acknowledged commit survives a power cut; with NORMAL, unless the owner
 * syncs the log, the last ones could be taken back, and with them a revocation or the sequence number of a signed document already sent out.
 * Errors: STORE_LOCKED, STORE_CORRUPT, STORE_DENIED, DISK_FULL, STORE_UNAVAILABLE.
 */
export async function openSqliteFile(path: string, options: SqliteFileOptions = {}): Promise<SqliteFile> {
  try {
    await makeDirectory(dirname(path));
    closeSync(openSync(path, 'a', 0o600));
  } catch (error) {
    throw storeError(error, `opening ${path}`);
  }
  let database: SqliteFile | undefined;
  try {
    database = new Database(path, { timeout: options.lockWaitMs ?? LOCK_WAIT_MS });
    // Set before the first access, so that the WAL's index stays in this process' memory and no second one gets in.
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    database.pragma(`synchronous = ${options.syncs === 'by-owner' ? 'NORMAL' : 'FULL'}`);
    database.pragma(`journal_size_limit = ${String(WAL_SIZE_BYTES_MAX)}`);
    database.pragma('trusted_schema = OFF');
    // What is removed is overwritten: a person who is deleted may not be read out of free pages.
    database.pragma('secure_delete = ON');
    database.exec('BEGIN IMMEDIATE; COMMIT');
    return database;
  } catch (error) {
    database?.close();
    throw sqliteError(error, `opening ${path}`);
  }
}

/**
 * Sees to it that what was removed is in no file any more: what pages keep between their rows when they are split, which `secure_delete`
 * does not reach, goes by writing the file anew, then the WAL is cut to nothing. A file so large that all else would wait for
 * seconds is not written anew. Errors: STORE_UNAVAILABLE, DISK_FULL.
 */
export function purgeSqliteFile(file: SqliteFile): void {
  const pages = Number(file.pragma('page_count', { simple: true }));
  const pageBytes = Number(file.pragma('page_size', { simple: true }));
  if (pages * pageBytes <= WRITTEN_ANEW_BYTES_MAX) file.exec('VACUUM');
  const [outcome] = file.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
  if (outcome?.busy !== 0) throw coded('STORE_UNAVAILABLE', `${file.name}: the log could not be cut`);
}

/** Opens a file for what `over` makes of it; closed again where that fails. Errors: those of openSqliteFile and of `over`. */
export async function openSqliteStore<T>(
  path: string,
  { over, ...options }: SqliteFileOptions & { over: (file: SqliteFile) => T | Promise<T> },
): Promise<T> {
  const file = await openSqliteFile(path, options);
  try {
    return await over(file);
  } catch (error) {
    file.close();
    throw sqliteError(error, `opening ${path}`);
  }
}

/**
 * The version of a file's schema, 0 for an empty one. `applicationId` marks whose it is, see
 * https://www.sqlite.org/fileformat.html#application_id. Errors: STORE_CORRUPT for a file of another program, STORE_NEWER.
 */
export function sqliteSchemaVersion(
  file: SqliteFile,
  known: { applicationId: number; version: number },
): number {
  const application = Number(file.pragma('application_id', { simple: true }));
  const version = Number(file.pragma('user_version', { simple: true }));
  if (application !== known.applicationId && (version !== 0 || hasTables(file)))
    throw coded('STORE_CORRUPT', `${file.name} is a database of another program; name another file`);
  if (version > known.version) {
    const detail = `${file.name} has schema ${String(version)}, this version knows ${String(known.version)}; run the newer one`;
    throw coded('STORE_NEWER', detail);
  }
  return version;
}

// kysely's Migrator makes its own tables before the first step.
function hasTables(file: SqliteFile): boolean {
  return (
    file
      .prepare(`SELECT 1 FROM sqlite_schema WHERE name NOT LIKE 'kysely_%' AND name NOT LIKE 'sqlite_%'`)
      .get() !== undefined
  );
}

/** better-sqlite3 works at once, in this thread; ports are promises for the engines that do not. `what` as in sqliteError. */
export function runSqlite<T>(what: string, work: () => T): Promise<T> {
  return Promise.try(work).catch((error: unknown) => {
    throw sqliteError(error, what);
  });
}

/**
 * Gives a failure of SQLite or of the disk its code, INTERNAL where it is a fault of ours: a statement that is wrong, a constraint that was broken,
 * a value of no type that it takes. `what` says for a person what was being done, with the path.
 */
export function sqliteError(error: unknown, what: string): CodedError {
  if (error instanceof CodedError) return error;
  if (isSystemError(error) || isClosed(error)) return storeError(error, what);
  const code = sqliteCode(systemCode(error) ?? '');
  const reason = error instanceof Error ? error.message : String(error);
  return coded(code, { detail: `${what}: ${reason}${advice[code] ?? ''}`, cause: error });
}

const advice: Partial<Record<ProblemCode, string>> = {
  STORE_LOCKED: '; stop the other process or use another data directory',
  STORE_CORRUPT: '; restore it from a backup',
};

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** What is asked of a store while the process stops is nobody's fault. */
function isClosed(error: unknown): boolean {
  return error instanceof TypeError && error.message === 'The database connection is not open';
}

/** What is no fault of the code that asks. */
const notOurs = /^SQLITE_(IOERR|CANTOPEN|NOMEM|INTERRUPT|PROTOCOL|ABORT|NOLFS)/;

// https://www.sqlite.org/rescode.html: extended codes begin with the primary one.
function sqliteCode(code: string): ProblemCode {
  if (code === 'SQLITE_FULL') return 'DISK_FULL';
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return 'STORE_LOCKED';
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') return 'STORE_CORRUPT';
  if (code.startsWith('SQLITE_READONLY') || code === 'SQLITE_PERM' || code === 'SQLITE_AUTH')
    return 'STORE_DENIED';
  return notOurs.test(code) ? 'STORE_UNAVAILABLE' : 'INTERNAL';
}
