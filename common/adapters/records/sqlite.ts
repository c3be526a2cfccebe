import { coded } from '../../runtime/errors.ts';
import { copySqlite } from '../shared/sqlite-copy.ts';
import {
  openSqliteStore,
  purgeSqliteFile,
  runSqlite,
  sqliteSchemaVersion,
  type SqliteFile,
  type SqliteFileOptions,
} from '../shared/sqlite-file.ts';
import type { WalSync } from '../shared/wal-sync.ts';
import { checkCollection, checkRecordKey, encodeValue, scanRange } from './key.ts';
import type {
  RecordEntry,
  RecordOperation,
  StoreCopyOptions,
  RecordScanOptions,
  RecordValue,
  Records,
} from './port.ts';
import { APPLICATION_ID, SCHEMA_VERSION } from './sqlite-schema.ts';

const OPERATIONS_MAX = 10_000;

/**
 * Opens records in one SQLite file, see openSqliteFile for its locking and durability. The few statements are prepared once
 * and run straight on better-sqlite3; kysely and its Migrator (65 ms and 27 MB) are loaded only when the schema is to be
 * brought up to date. Errors beside the port's: STORE_LOCKED, STORE_NEWER.
 */
export async function openSqliteRecords(path: string, options: SqliteFileOptions = {}): Promise<Records> {
  return openSqlite(path, { ...options, over: (file) => new SqliteRecords(file, path) });
}

/** Opens a file with the tables of records in it, for what `over` makes of it. Errors: those of openSqliteRecords. */
export async function openSqlite<T>(
  path: string,
  { over, ...options }: SqliteFileOptions & { over: (file: SqliteFile) => T | Promise<T> },
): Promise<T> {
  return openSqliteStore(path, {
    ...options,
    over: async (file) => {
      const version = sqliteSchemaVersion(file, { applicationId: APPLICATION_ID, version: SCHEMA_VERSION });
      if (version < SCHEMA_VERSION) {
        const { migrateRecords } = await import('./sqlite-migrate.ts');
        await migrateRecords(file);
      }
      return over(file);
    },
  });
}

interface Row {
  key: string;
  version: number;
  value: string;
}

function statements(file: SqliteFile) {
  return {
    get: file.prepare<[string, string], Row>(
      'SELECT key, version, value FROM records WHERE collection = ? AND key = ?',
    ),
    version: file
      .prepare<[string, string], number>('SELECT version FROM records WHERE collection = ? AND key = ?')
      .pluck(),
    scan: file.prepare<[string, string, string, number], Row>(
      'SELECT key, version, value FROM records WHERE collection = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?',
    ),
    put: file.prepare<[string, string, number, string]>(
      `INSERT INTO records (collection, key, version, value) VALUES (?, ?, ?, ?)
       ON CONFLICT (collection, key) DO UPDATE SET version = excluded.version, value = excluded.value`,
    ),
    remove: file.prepare<[string, string]>('DELETE FROM records WHERE collection = ? AND key = ?'),
    nextRevision: file
      .prepare<[], number>('UPDATE revision SET version = version + 1 RETURNING version')
      .pluck(),
  };
}

/** How a file's changes become durable where its owner syncs them, see openGroupedRecords. */
export interface OwnSyncs {
  readonly wal: WalSync;
  /** What is to be waited for once something is written. */
  readonly durable: () => Promise<void> | void;
}

/** Records in one SQLite file; SQLite itself syncs each commit, within the process' work, where nobody else does. */
export class SqliteRecords implements Records {
  protected readonly file: SqliteFile;
  protected readonly path: string;
  readonly #what: string;
  readonly #syncs: OwnSyncs | undefined;
  readonly #statements: ReturnType<typeof statements>;
  readonly #change: (operations: readonly EncodedOperation[]) => number;

  constructor(file: SqliteFile, path: string, syncs?: OwnSyncs) {
    this.file = file;
    this.path = path;
    this.#syncs = syncs;
    this.#what = `records ${path}`;
    this.#statements = statements(file);
    const change = file.transaction((operations: readonly EncodedOperation[]) => this.apply(operations));
    this.#change = (operations) => change.immediate(operations);
  }

  get(collection: string, key: string): Promise<RecordEntry | undefined> {
    return this.run(() => {
      const row = this.#statements.get.get(checkCollection(collection), checkRecordKey(key));
      return row === undefined ? undefined : this.#entry(row);
    });
  }

  async put(collection: string, key: string, value: RecordValue): Promise<number> {
    return await this.commit([{ kind: 'put', collection, key, value }]);
  }

  remove(collection: string, key: string): Promise<boolean> {
    return this.write(
      () => this.#statements.remove.run(checkCollection(collection), checkRecordKey(key)).changes > 0,
    );
  }

  scan(collection: string, options: RecordScanOptions = {}): Promise<readonly RecordEntry[]> {
    return this.run(() => {
      const { lower, upper, limit } = scanRange(options);
      const rows = this.#statements.scan.all(checkCollection(collection), lower, upper, limit);
      return rows.map((row) => this.#entry(row));
    });
  }

  commit(operations: readonly RecordOperation[]): Promise<number> {
    return this.write(() => {
      checkLength(operations.length);
      return this.#change(operations.map(encode));
    });
  }

  copyTo(path: string, options: StoreCopyOptions): Promise<void> {
    const copy = () => copySqlite(this.file, path, options);
    return this.#syncs === undefined ? copy() : this.#syncs.wal.copy(copy);
  }

  purge(): Promise<void> {
    return this.run(() => {
      purgeSqliteFile(this.file);
    });
  }

  close(): Promise<void> {
    const close = () =>
      this.run(() => {
        this.file.close();
      });
    return this.#syncs === undefined ? close() : this.#syncs.wal.close(close);
  }

  /** Changes documents within a transaction that the caller has begun. */
  protected apply(operations: readonly EncodedOperation[]): number {
    const version = this.#statements.nextRevision.get() ?? 0;
    for (const operation of operations) {
      const { collection, key, expectedVersion } = operation;
      if (expectedVersion !== undefined) this.#expect(collection, key, expectedVersion);
      if (operation.kind === 'put') this.#statements.put.run(collection, key, version, operation.text);
      else if (operation.kind === 'remove') this.#statements.remove.run(collection, key);
    }
    return version;
  }

  #expect(collection: string, key: string, expected: number): void {
    const found = this.#statements.version.get(collection, key) ?? 0;
    if (found === expected) return;
    const detail = `${collection}/${key} is at version ${String(found)}, not ${String(expected)}`;
    throw coded('RECORDS_CONFLICT', detail);
  }

  #entry(row: Row): RecordEntry {
    try {
      return { key: row.key, version: row.version, value: JSON.parse(row.value) as unknown };
    } catch (error) {
      throw coded('STORE_CORRUPT', { detail: `${this.path}: ${row.key} is not JSON`, cause: error });
    }
  }

  protected run<T>(work: () => T): Promise<T> {
    return runSqlite(this.#what, () => {
      this.#syncs?.wal.check();
      return work();
    });
  }

  /** Runs what changes something; resolves when that is durable. */
  protected async write<T>(work: () => T): Promise<T> {
    const done = await this.run(() => {
      // A commit that fails may have written too.
      this.#syncs?.wal.wrote();
      return work();
    });
    await this.#syncs?.durable();
    return done;
  }
}

export type EncodedOperation =
  | { kind: 'put'; collection: string; key: string; text: string; expectedVersion: number | undefined }
  | { kind: 'remove' | 'check'; collection: string; key: string; expectedVersion: number | undefined };

/** Refuses more changes than one commit takes: VALUE_TOO_LARGE. */
export function checkLength(changes: number): void {
  if (changes > OPERATIONS_MAX) throw coded('VALUE_TOO_LARGE', `a commit of ${changes} changes`);
}

/** An operation with its names checked and its document as JSON. Errors: KEY_INVALID, VALUE_TOO_LARGE. */
export function encode(operation: RecordOperation): EncodedOperation {
  const { kind, expectedVersion } = operation;
  const collection = checkCollection(operation.collection);
  const key = checkRecordKey(operation.key);
  if (kind !== 'put') return { kind, collection, key, expectedVersion };
  return { kind, collection, key, expectedVersion, text: encodeValue(operation.value) };
}
