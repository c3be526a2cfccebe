import type { SqliteFile } from '../shared/sqlite-file.ts';
import { openWalSync, type WalSync, type WalSyncOptions } from '../shared/wal-sync.ts';
import { openSqlite, SqliteRecords } from './sqlite.ts';
import type { RecordOperation, Records, StoreCopyOptions } from './port.ts';

/**
 * Opens records whose commits wait for the disk beside the process' work rather than in it: a commit is seen by all who read at once, and
 * resolves when it survives a power cut. What somebody reads meanwhile may be taken back by one, as long as nobody was answered for it; whatever
 * is written because of it is behind it in the log, and so is never there without it. After a failed sync everything but
 * `close` is refused: STORE_UNSYNCED. Errors beside it: those of openSqliteRecords.
 */
export async function openGroupedRecords(path: string, options: WalSyncOptions): Promise<Records> {
  return openSqlite(path, {
    syncs: 'by-owner',
    over: async (file) => new GroupedRecords(file, path, await openWalSync(file, options)),
  });
}

class GroupedRecords extends SqliteRecords {
  readonly #wal: WalSync;

  constructor(file: SqliteFile, path: string, wal: WalSync) {
    super(file, path);
    this.#wal = wal;
  }

  override async commit(operations: readonly RecordOperation[]): Promise<number> {
    const version = await super.commit(operations);
    await this.#wal.sync();
    return version;
  }

  override async remove(collection: string, key: string): Promise<boolean> {
    const isRemoved = await super.remove(collection, key);
    if (isRemoved) await this.#wal.sync();
    return isRemoved;
  }

  override copyTo(path: string, options: StoreCopyOptions): Promise<void> {
    return this.#wal.copy(() => super.copyTo(path, options));
  }

  override close(): Promise<void> {
    return this.#wal.close(() => super.close());
  }

  protected override run<T>(work: () => T): Promise<T> {
    return super.run(() => {
      this.#wal.check();
      return work();
    });
  }
}
