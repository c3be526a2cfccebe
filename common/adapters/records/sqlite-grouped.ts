import { open } from 'node:fs/promises';
import { coded, type CodedError } from '../../runtime/errors.ts';
import { openSqlite, SqliteRecords } from './sqlite.ts';
import { storeError } from '../shared/store-error.ts';
import type { SqliteFile } from '../shared/sqlite-file.ts';
import type { RecordOperation, Records, StoreCopyOptions } from './port.ts';

/** To bring the log into the file holds the process: rarely, for what many commits have written to the same pages goes once. 32 MiB. */
const checkpointPages = 8192;

/** SQLite's log as its owner syncs it. */
export interface SyncedLog {
  /** Resolves when all that was written before it was called survives a power cut. */
  datasync(): Promise<void>;
  close(): Promise<void>;
}

export interface GroupedOptions {
  /**
   * Told once when the log could not be synced (STORE_UNSYNCED). What was written since may be lost while the system shows it, and its next sync would
   * tell of success (https://wiki.postgresql.org/wiki/Fsync_Errors): the process has to end, and whoever starts again reads what there is.
   */
  onLost: (error: CodedError) => void;
  /** How the log is opened to be synced. */
  openLog?: ((path: string) => Promise<SyncedLog>) | undefined;
}

/**
 * Opens records whose commits wait for the disk beside the process' work rather than in it: a commit is seen by all who read at once, and
 * resolves when it survives a power cut. What somebody reads meanwhile may be taken back by one, as long as nobody was answered for it; whatever
 * is written because of it is behind it in the log, and so is never there without it. After a failed sync everything but
 * `close` is refused: STORE_UNSYNCED. Errors beside it: those of openSqliteRecords.
 */
export async function openGroupedRecords(path: string, options: GroupedOptions): Promise<Records> {
  const { onLost, openLog = (logPath: string) => open(logPath, 'r') } = options;
  return openSqlite(path, {
    syncs: 'by-owner',
    over: async (file) => {
      file.pragma(`wal_autocheckpoint = ${String(checkpointPages)}`);
      return new GroupedRecords(file, path, { log: await openLog(`${path}-wal`), onLost });
    },
  });
}

/**
 * SQLite writes a commit to its log (synchronous=NORMAL); what makes it durable is to sync the log before the answer, which needs none of
 * SQLite's locks: they are on the file itself. https://www.sqlite.org/wal.html#performance_considerations
 */
class GroupedRecords extends SqliteRecords {
  readonly #log: SyncedLog;
  readonly #onLost: (error: CodedError) => void;
  #lost: CodedError | undefined;
  /** The sync that was begun last, and the one behind it, which covers all that is committed until it begins. */
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(
    file: SqliteFile,
    path: string,
    { log, onLost }: { log: SyncedLog; onLost: (error: CodedError) => void },
  ) {
    super(file, path);
    this.#log = log;
    this.#onLost = onLost;
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

  /** A copy holds nothing that the log might have lost: it ends with a sync of its own. */
  override async copyTo(path: string, options: StoreCopyOptions): Promise<void> {
    this.#check();
    await super.copyTo(path, options);
    await this.#sync();
  }

  /**
   * Syncs what is under way, then closes. What could not be synced is left to the end of the process: SQLite would bring the log into the file,
   * but for its own descriptor, which hears of the failure too, at its next sync (fsync(2), errors since Linux 4.13).
   */
  override async close(): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#running.catch(() => undefined);
    try {
      await this.#log.close();
    } catch (error) {
      throw storeError(error, `closing ${this.path}-wal`);
    } finally {
      if (this.#lost === undefined) await super.close();
    }
  }

  protected override run<T>(work: () => T): Promise<T> {
    return super.run(() => {
      this.#check();
      return work();
    });
  }

  #check(): void {
    if (this.#lost !== undefined) throw this.#lost;
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
      const { message } = storeError(error, `syncing ${this.path}-wal`);
      this.#lost = coded('STORE_UNSYNCED', {
        detail: `${message}; see to the disk, then start again`,
        cause: error,
      });
      this.#onLost(this.#lost);
      throw this.#lost;
    }
  }
}
