import type { RegisterKind, ViewingEntry, ViewingRegister, ViewingRows } from '../../core/viewing-state.ts';
import { coded } from '../../runtime/errors.ts';
import { copySqlite } from '../shared/sqlite-copy.ts';
import {
  openSqliteStore,
  purgeSqliteFile,
  runSqlite,
  sqliteError,
  type SqliteFile,
} from '../shared/sqlite-file.ts';
import { openWalSync, type WalSync, type WalSyncOptions } from '../shared/wal-sync.ts';
import type { StoreCopyOptions } from '../records/port.ts';
import { checkIds, checkLimit, checkRows } from './check.ts';
import type { RegisterPage, Viewing, ViewingPage } from './port.ts';
import { prepareSchema } from './sqlite-schema.ts';
import { entryOf, kindNumbers, registerOf, statements } from './sqlite-statements.ts';

const PRUNED_MAX = 10_000;
const ROWS_WAITING_MAX = 30_000;
const TITLES_MAX = 1000;

/**
 * Opens viewing state in one SQLite file; see openSqliteFile for its locking and openWalSync for its durability: what is joined is seen at once, and
 * answered when it survives a power cut. Errors beside the port's: STORE_LOCKED, STORE_NEWER, STORE_UNSYNCED.
 */
export async function openSqliteViewing(path: string, options: WalSyncOptions): Promise<Viewing> {
  return openSqliteStore(path, {
    syncs: 'by-owner',
    over: async (file) => {
      prepareSchema(file);
      return new SqliteViewing(file, path, await openWalSync(file, options));
    },
  });
}

class SqliteViewing implements Viewing {
  readonly #file: SqliteFile;
  readonly #path: string;
  readonly #wal: WalSync;
  readonly #statements: ReturnType<typeof statements>;
  readonly #write: (all: readonly ViewingRows[]) => void;
  /** What the next transaction writes, and what all who gave of it wait for. */
  #gathered: { readonly all: ViewingRows[]; readonly written: PromiseWithResolvers<void> } | undefined;
  /** Not on the disk yet. */
  #rowsWaiting = 0;

  constructor(file: SqliteFile, path: string, wal: WalSync) {
    this.#file = file;
    this.#path = path;
    this.#wal = wal;
    this.#statements = statements(file);
    const write = file.transaction((all: readonly ViewingRows[]) => {
      for (const rows of all) this.#put(rows);
    });
    this.#write = (all) => {
      write.immediate(all);
    };
  }

  /** What is joined within one turn of the loop shares a transaction, and the disk's wait for it. */
  async join(rows: ViewingRows): Promise<void> {
    checkRows(rows);
    const count = rows.registers.length + rows.entries.length;
    if (count === 0) return;
    if (this.#rowsWaiting + count > ROWS_WAITING_MAX)
      throw coded('OVERLOADED', { detail: 'too many rows wait to be written', retryAfterMs: 1000 });
    this.#rowsWaiting += count;
    try {
      await this.#gather(rows);
      await this.#wal.sync();
    } finally {
      this.#rowsWaiting -= count;
    }
  }

  registersOf(
    profileId: string,
    kind: RegisterKind,
    titleIds: readonly string[],
  ): Promise<readonly ViewingRegister[]> {
    return this.#run(() => {
      checkIds(profileId, ...titleIds);
      if (titleIds.length > TITLES_MAX) throw coded('INVALID', `more than ${TITLES_MAX} titles at once`);
      return titleIds.flatMap((titleId) => {
        const row = this.#statements.register.get(profileId, kindNumbers[kind], titleId);
        return row === undefined ? [] : [registerOf(row)];
      });
    });
  }

  registers(
    profileId: string,
    kind: RegisterKind,
    { after = '', limit }: RegisterPage,
  ): Promise<readonly ViewingRegister[]> {
    return this.#run(() => {
      checkIds(profileId, ...(after === '' ? [] : [after]));
      return this.#statements.registers
        .all(profileId, kindNumbers[kind], after, checkLimit(limit))
        .map(registerOf);
    });
  }

  viewings(profileId: string, { before, limit }: ViewingPage): Promise<readonly ViewingEntry[]> {
    return this.#run(() => {
      checkIds(profileId, ...(before === undefined ? [] : [before.viewingId]));
      const rows =
        before === undefined
          ? this.#statements.newestViewings.all(profileId, checkLimit(limit))
          : this.#statements.viewingsBefore.all(
              profileId,
              before.startedAtMs,
              before.viewingId,
              checkLimit(limit),
            );
      return rows.map(entryOf);
    });
  }

  async erase(profileId: string): Promise<void> {
    // In its turn: what was joined before goes, what is joined later stays.
    this.#flush();
    await this.#change(() => {
      checkIds(profileId);
      this.#file.transaction(() => {
        this.#statements.eraseRegisters.run(profileId);
        this.#statements.eraseViewings.run(profileId);
      })();
    });
  }

  prune(beforeMs: number): Promise<number> {
    return this.#change(() => this.#statements.prune.run(beforeMs, PRUNED_MAX).changes);
  }

  purge(): Promise<void> {
    return this.#run(() => {
      purgeSqliteFile(this.#file);
    });
  }

  copyTo(path: string, options: StoreCopyOptions): Promise<void> {
    return this.#wal.copy(() => copySqlite(this.#file, path, options));
  }

  close(): Promise<void> {
    this.#flush();
    return this.#wal.close(() =>
      this.#run(() => {
        this.#file.close();
      }),
    );
  }

  #gather(rows: ViewingRows): Promise<void> {
    if (this.#gathered === undefined) {
      this.#gathered = { all: [], written: Promise.withResolvers() };
      setImmediate(() => {
        this.#flush();
      });
    }
    this.#gathered.all.push(rows);
    return this.#gathered.written.promise;
  }

  #flush(): void {
    const gathered = this.#gathered;
    if (gathered === undefined) return;
    this.#gathered = undefined;
    try {
      this.#wal.check();
      this.#wal.wrote();
      this.#write(gathered.all);
      gathered.written.resolve();
    } catch (error) {
      gathered.written.reject(sqliteError(error, `viewing state ${this.#path}`));
    }
  }

  #put({ registers, entries }: ViewingRows): void {
    const { putRegister, putEntry } = this.#statements;
    for (const { profileId, kind, titleId, stamp, value } of registers) {
      const { atMs, deviceId, sequence } = stamp;
      putRegister.run(profileId, kindNumbers[kind], titleId, atMs, deviceId, sequence, value);
    }
    for (const { profileId, startedAtMs, viewingId, stamp, positionMs, watchedMs, titleId } of entries) {
      const { atMs, deviceId, sequence } = stamp;
      putEntry.run(
        ...([profileId, startedAtMs, viewingId, atMs, deviceId, sequence] as const),
        ...([positionMs, watchedMs, titleId] as const),
      );
    }
  }

  #run<T>(work: () => T): Promise<T> {
    return runSqlite(`viewing state ${this.#path}`, () => {
      this.#wal.check();
      return work();
    });
  }

  /** Runs what changes rows; resolves when it is on the disk. */
  async #change<T>(work: () => T): Promise<T> {
    const done = await this.#run(() => {
      this.#wal.wrote();
      return work();
    });
    await this.#wal.sync();
    return done;
  }
}
