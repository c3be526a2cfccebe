import { coded } from '../../runtime/errors.ts';
import {
  openSqliteStore,
  sqliteError,
  type SqliteFile,
  type SqliteFileOptions,
} from '../shared/sqlite-file.ts';
import type { EventConsumer } from './port.ts';

const CONSUMERS_MAX = 64;
const SCHEMA_VERSION = 1;
const namePattern = /^[a-z][a-z0-9-]{0,62}$/;

/** The consumers of a log and what each has handled. */
export interface LogConsumers {
  all(): readonly EventConsumer[];
  offset(name: string): number | undefined;
  set(name: string, offset: number): void;
  forget(name: string): void;
  close(): void;
}

/**
 * Opens the file that keeps the consumers' offsets. Its lock is also the log's: the kernel drops it when the process dies,
 * which no lock file of our own could promise. Errors: STORE_LOCKED, STORE_NEWER, STORE_CORRUPT and those of the disk.
 */
export async function openLogConsumers(path: string, options: SqliteFileOptions = {}): Promise<LogConsumers> {
  return openSqliteStore(path, { ...options, over: (file) => createConsumers(file, path) });
}

function createConsumers(file: SqliteFile, path: string): LogConsumers {
  const version = Number(file.pragma('user_version', { simple: true }));
  if (version > SCHEMA_VERSION) throw coded('STORE_NEWER', `${path} has schema ${String(version)}`);
  file.exec('CREATE TABLE IF NOT EXISTS consumers (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) STRICT');
  if (version < SCHEMA_VERSION) file.pragma(`user_version = ${String(SCHEMA_VERSION)}`);
  const select = file.prepare<[], EventConsumer>('SELECT name, offset FROM consumers');
  const upsert = file.prepare<[string, number]>(
    'INSERT OR REPLACE INTO consumers (name, offset) VALUES (?, ?)',
  );
  const remove = file.prepare<[string]>('DELETE FROM consumers WHERE name = ?');
  const offsets = new Map(select.all().map(({ name, offset }) => [name, offset]));
  const run = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      throw sqliteError(error, `consumers ${path}`);
    }
  };
  return {
    all: () => [...offsets].map(([name, offset]) => ({ name, offset })),
    offset: (name) => offsets.get(checkName(name)),
    set(name, offset) {
      if (offsets.get(checkName(name)) === offset) return;
      if (!offsets.has(name) && offsets.size >= CONSUMERS_MAX) {
        throw coded('OVERLOADED', `the log has ${String(CONSUMERS_MAX)} consumers already`);
      }
      run(() => upsert.run(name, offset));
      offsets.set(name, offset);
    },
    forget(name) {
      run(() => remove.run(checkName(name)));
      offsets.delete(name);
    },
    close() {
      file.close();
    },
  };
}

function checkName(name: string): string {
  if (!namePattern.test(name))
    throw coded('KEY_INVALID', `${JSON.stringify(name.slice(0, 80))} is no consumer's name`);
  return name;
}
