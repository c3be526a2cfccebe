import type { Clock } from '../../runtime/clock.ts';
import type { SqliteFile } from '../shared/sqlite-file.ts';
import { openWalSync, type WalSyncOptions } from '../shared/wal-sync.ts';
import { openSqlite, SqliteRecords, type OwnSyncs } from './sqlite.ts';
import type { Records } from './port.ts';

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
    over: async (file) => new SqliteRecords(file, path, await openSyncs(file, options)),
  });
}

/** Opens the syncs of a file that is opened with `syncs: 'by-owner'`. */
export async function openSyncs(
  file: SqliteFile,
  { syncsLaterBy: clock, ...options }: GroupedOptions,
): Promise<OwnSyncs> {
  const wal = await openWalSync(file, options);
  return { wal, durable: () => (clock === undefined ? wal.sync() : wal.syncWithin(unwaitedMs, clock)) };
}
