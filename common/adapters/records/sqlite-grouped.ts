import type { Clock } from '../../runtime/clock.ts';
import type { SqliteFile } from '../shared/sqlite-file.ts';
import { openWalSync, type WalSync, type WalSyncOptions } from '../shared/wal-sync.ts';
import { openSqlite, SqliteRecords } from './sqlite.ts';
import type { Records, StoreCopyOptions } from './port.ts';

/** For how long, beside the disk's own time, a commit that nobody waits for may be lost by a power cut. */
const unwaitedMs = 250;

export interface GroupedOptions extends WalSyncOptions {
  /**
   * Where this is given nobody waits for the disk: a commit resolves when it survives the end of the process, however that ends, while a power
   * cut may take back those of the last quarter of a second by this clock. For what is of no use to anybody once the machine was off.
   */
  readonly syncsLaterBy?: Clock | undefined;
}

/**
 * Opens records whose commits wait for the disk beside the process' work rather than in it: a commit is seen by all who read at once, and
 * resolves when it survives a power cut, or when it is written (`syncsLaterBy`). What somebody reads meanwhile may be taken back by one, as long as nobody was answered for it; whatever
 * is written because of it is behind it in the log, and so is never there without it. After a failed sync everything but
 * `close` is refused: STORE_UNSYNCED. Errors beside it: those of openSqliteRecords.
 */
export async function openGroupedRecords(path: string, options: GroupedOptions): Promise<Records> {
  return openSqlite(path, {
    syncs: 'by-owner',
    over: async (file) => {
      const wal = await openWalSync(file, options);
      return new GroupedRecords(file, path, { ...options, wal });
    },
  });
}

class GroupedRecords extends SqliteRecords {
  readonly #wal: WalSync;
  /** What is to be waited for once something is written. */
  readonly #durable: () => Promise<void> | void;

  constructor(
    file: SqliteFile,
    path: string,
    { wal, syncsLaterBy: clock }: { wal: WalSync } & Pick<GroupedOptions, 'syncsLaterBy'>,
  ) {
    super(file, path);
    this.#wal = wal;
    this.#durable = () => (clock === undefined ? wal.sync() : wal.syncWithin(unwaitedMs, clock));
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

  protected override async write<T>(work: () => T): Promise<T> {
    const done = await super.write(() => {
      // A commit that fails may have written too.
      this.#wal.wrote();
      return work();
    });
    await this.#durable();
    return done;
  }
}
