import { open } from 'node:fs/promises';
import { coded, type CodedError } from '../../runtime/errors.ts';
import type { SqliteFile } from './sqlite-file.ts';
import { storeError } from './store-error.ts';

/** To bring the log into the file holds the process: rarely, for what many commits have written to the same pages goes once. 32 MiB. */
const checkpointPages = 8192;

/** SQLite's log as its owner syncs it. */
export interface SyncedLog {
  /** Resolves when all that was written before it was called survives a power cut. */
  datasync(): Promise<void>;
  close(): Promise<void>;
}

export interface WalSyncOptions {
  /**
   * Told once when the log could not be synced (STORE_UNSYNCED). What was written since may be lost while the system shows it, and its next sync would
   * tell of success (https://wiki.postgresql.org/wiki/Fsync_Errors): the process has to end, and whoever starts again reads what there is.
   */
  readonly onLost: (error: CodedError) => void;
  /** How the log is opened to be synced. */
  readonly openLog?: ((path: string) => Promise<SyncedLog>) | undefined;
}

/**
 * Syncs the log of a file that is opened with `syncs: 'by-owner'`. SQLite writes a commit to its log (synchronous=NORMAL); what makes it durable is
 * to sync the log before the answer, which needs none of SQLite's locks: they are on the file itself, and the process does something else
 * meanwhile. https://www.sqlite.org/wal.html#performance_considerations
 */
export async function openWalSync(file: SqliteFile, options: WalSyncOptions): Promise<WalSync> {
  const { onLost, openLog = (path: string) => open(path, 'r') } = options;
  file.pragma(`wal_autocheckpoint = ${String(checkpointPages)}`);
  const path = `${file.name}-wal`;
  return new WalSync({ path, log: await openLog(path), onLost });
}

/** The log of one file. */
export class WalSync {
  readonly #path: string;
  readonly #log: SyncedLog;
  readonly #onLost: (error: CodedError) => void;
  #lost: CodedError | undefined;
  /** The sync that was begun last, and the one behind it, which covers all that is committed until it begins. */
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor({ path, log, onLost }: { path: string; log: SyncedLog } & Pick<WalSyncOptions, 'onLost'>) {
    this.#path = path;
    this.#log = log;
    this.#onLost = onLost;
  }

  /** Throws STORE_UNSYNCED once a sync has failed: nothing may be read, written or copied then. */
  check(): void {
    if (this.#lost !== undefined) throw this.#lost;
  }

  /** Resolves when all that was committed before survives a power cut. One sync at a time: a disk tells of what it lost once, and then all that was not synced before is in doubt. */
  sync(): Promise<void> {
    return (this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      this.#running = this.#syncNow();
      return this.#running;
    }));
  }

  /** Copies the file by `copy`, unless something of it may be lost: a copy ends with a sync of its own. */
  async copy(copy: () => Promise<void>): Promise<void> {
    this.check();
    await copy();
    await this.sync();
  }

  /**
   * Ends what is under way, then closes the file. What could not be synced is left to the end of the process: SQLite would bring the log into the file,
   * but for its own descriptor, which hears of the failure too, at its next sync (fsync(2), errors since Linux 4.13).
   */
  async close(closeFile: () => Promise<void>): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#running.catch(() => undefined);
    try {
      await this.#log.close();
    } catch (error) {
      throw storeError(error, `closing ${this.#path}`);
    } finally {
      if (this.#lost === undefined) await closeFile();
    }
  }

  async #syncNow(): Promise<void> {
    try {
      await this.#log.datasync();
    } catch (error) {
      const { message } = storeError(error, `syncing ${this.#path}`);
      const detail = `${message}; see to the disk, then start again`;
      this.#lost = coded('STORE_UNSYNCED', { detail, cause: error });
      this.#onLost(this.#lost);
      throw this.#lost;
    }
  }
}
