import { open, type FileHandle } from 'node:fs/promises';
import { coded } from '../../runtime/errors.ts';
import { openSqlite, SqliteRecords } from './sqlite.ts';
import { storeError } from '../shared/store-error.ts';
import type { SqliteFile } from '../shared/sqlite-file.ts';
import type { RecordOperation, Records } from './port.ts';

/** To bring the log into the file holds the process: rarely, for what many commits have written to the same pages goes once. 32 MiB. */
const checkpointPages = 8192;

/**
 * Opens records whose commits wait for the disk beside the process' work rather than in it: a commit is seen by all who read at once, and
 * resolves when it survives a power cut. For collections whose new documents nobody can ask for before. Errors: those of openSqliteRecords.
 */
export async function openGroupedRecords(path: string): Promise<Records> {
  return openSqlite(path, {
    syncs: 'by-owner',
    over: async (file) => {
      file.pragma(`wal_autocheckpoint = ${String(checkpointPages)}`);
      return new GroupedRecords(file, path, await open(`${path}-wal`, 'r'));
    },
  });
}

/**
 * SQLite writes a commit to its log (synchronous=NORMAL); what makes it durable is to sync the log before the answer, which needs none of
 * SQLite's locks: they are on the file itself. https://www.sqlite.org/wal.html#performance_considerations
 */
class GroupedRecords extends SqliteRecords {
  readonly #log: FileHandle;
  /** After a sync that failed nobody knows what is on the disk: nothing is answered until it is read anew. */
  #hasFailed = false;
  /** The sync that was begun last, and the one behind it, which covers all that is committed until it begins. */
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(file: SqliteFile, path: string, log: FileHandle) {
    super(file, path);
    this.#log = log;
  }

  override async commit(operations: readonly RecordOperation[]): Promise<number> {
    const version = await super.commit(operations);
    await this.#sync();
    return version;
  }

  override async remove(collection: string, key: string): Promise<boolean> {
    const isRemoved = await super.remove(collection, key);
    if (isRemoved) await this.#sync();
    return isRemoved;
  }

  override async close(): Promise<void> {
    try {
      await this.#log.close();
    } catch (error) {
      throw storeError(error, `closing ${this.path}-wal`);
    } finally {
      this.#hasFailed = false;
      await super.close();
    }
  }

  protected override run<T>(work: () => T): Promise<T> {
    if (this.#hasFailed)
      return Promise.reject(coded('STORE_UNAVAILABLE', `${this.path} could not be synced; start again`));
    return super.run(work);
  }

  /** One at a time: a disk tells of what it lost once, and then all that was not synced before is in doubt. */
  #sync(): Promise<void> {
    return (this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      this.#running = this.#syncNow();
      return this.#running;
    }));
  }

  async #syncNow(): Promise<void> {
    try {
      await this.#log.datasync();
    } catch (error) {
      this.#hasFailed = true;
      throw storeError(error, `syncing ${this.path}-wal`);
    }
  }
}
