import { open } from 'node:fs/promises';
import type { Clock } from '../../runtime/clock.ts';
import { coded, type CodedError } from '../../runtime/errors.ts';
import type { SqliteFile } from './sqlite-file.ts';
import { storeError } from './store-error.ts';

/** To bring the log into the file holds the process: rarely, for what many commits have written to the same pages goes once. 32 MiB. */
const checkpointPages = 8192;
/** How many syncs may be under way: whoever comes while the disk is busy with one need not wait for two. */
const lanesMax = 2;

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
  /** How the log is opened to be synced, once for each sync that may be under way. */
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
  const logs = [];
  while (logs.length < lanesMax) logs.push(await openLog(path));
  return new WalSync({ path, logs, onLost });
}

/** A sync that is under way. */
interface Sync {
  /** How many changes were written when it began. */
  readonly covers: number;
  readonly done: Promise<void>;
}

/**
 * The log of one file. Syncs overlap, each on a descriptor of its own: one that is shared tells of a failure once, to whoever asks first, and the
 * other sync would be told of success; each descriptor is told of all that failed since it was asked last (fsync(2), errors since Linux 4.13).
 */
export class WalSync {
  readonly #path: string;
  readonly #logs: readonly SyncedLog[];
  readonly #onLost: (error: CodedError) => void;
  readonly #free: SyncedLog[];
  readonly #running = new Set<Sync>();
  /** The one that begins when one of those under way has ended, for all that is written until then. */
  #next: PromiseWithResolvers<void> | undefined;
  #later: Promise<void> | undefined;
  readonly #closing = new AbortController();
  #lost: CodedError | undefined;
  /** Changes that were written, with what is found at the start as the first, and how many of them are on the disk. */
  #written = 1;
  #synced = 0;

  constructor(options: { path: string; logs: readonly SyncedLog[] } & Pick<WalSyncOptions, 'onLost'>) {
    this.#path = options.path;
    this.#logs = options.logs;
    this.#free = [...options.logs];
    this.#onLost = options.onLost;
  }

  /** Throws STORE_UNSYNCED once a sync has failed: nothing may be read, written or copied then. */
  check(): void {
    if (this.#lost !== undefined) throw this.#lost;
  }

  /** Something was written to the log: the next `sync` waits for the disk. */
  wrote(): void {
    this.#written++;
  }

  /** Resolves when all that was written before survives a power cut; at once where nothing was since the last. Errors: STORE_UNSYNCED. */
  async sync(): Promise<void> {
    this.check();
    if (this.#synced === this.#written) return;
    for (const { covers, done } of this.#running) if (covers === this.#written) return done;
    const log = this.#free.pop();
    if (log !== undefined) return this.#begin(log);
    this.#next ??= Promise.withResolvers();
    return this.#next.promise;
  }

  /** Has what was written synced within so long, for nobody who waits; `onLost` hears of a failure. */
  syncWithin(laterMs: number, clock: Clock): void {
    this.#later ??= clock.sleep(laterMs, { signal: this.#closing.signal }).then(
      () => {
        this.#later = undefined;
        // Whoever asks next is told of the failure.
        this.sync().catch(() => undefined);
      },
      () => undefined,
    );
  }

  /** Copies the file by `copy`, unless something of it may be lost: a copy ends with a sync of its own. */
  async copy(copy: () => Promise<void>): Promise<void> {
    this.check();
    await copy();
    await this.sync();
  }

  /**
   * Ends what is under way and syncs what is left, for whoever is about to wait for it, then closes the file. Errors: STORE_UNSYNCED, unless somebody was told before. What could not be synced is left to the end of the process: SQLite would
   * bring the log into the file, but for its own descriptor, which hears of the failure too, at its next sync.
   */
  async close(closeFile: () => Promise<void>): Promise<void> {
    this.#closing.abort();
    await this.#later;
    const wasLost = this.#lost !== undefined;
    if (!wasLost) await this.sync().catch(() => undefined);
    while (this.#running.size > 0) await Promise.allSettled([...this.#running].map(({ done }) => done));
    try {
      await Promise.all(this.#logs.map((log) => log.close()));
    } catch (error) {
      throw storeError(error, `closing ${this.#path}`);
    } finally {
      if (this.#lost === undefined) await closeFile();
    }
    // Who closes is told of what was lost at the very last.
    if (!wasLost) this.check();
  }

  #begin(log: SyncedLog): Promise<void> {
    const covers = this.#written;
    const sync: Sync = { covers, done: this.#syncNow(log, covers).finally(() => this.#ended(sync, log)) };
    this.#running.add(sync);
    return sync.done;
  }

  #ended(sync: Sync, log: SyncedLog): void {
    this.#running.delete(sync);
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) this.#free.push(log);
    else if (this.#lost === undefined) this.#begin(log).then(next.resolve, next.reject);
    else next.reject(this.#lost);
  }

  async #syncNow(log: SyncedLog, covers: number): Promise<void> {
    try {
      await log.datasync();
    } catch (error) {
      const { message } = storeError(error, `syncing ${this.#path}`);
      const detail = `${message}; see to the disk, then start again`;
      const isFirst = this.#lost === undefined;
      this.#lost ??= coded('STORE_UNSYNCED', { detail, cause: error });
      if (isFirst) this.#onLost(this.#lost);
    }
    // Also where another has failed meanwhile: what the disk has lost is in doubt then.
    this.check();
    this.#synced = Math.max(this.#synced, covers);
  }
}
