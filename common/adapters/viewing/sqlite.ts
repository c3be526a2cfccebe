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
import type { StoreCopyOptions } from '../records/port.ts';
import { checkIds, checkLimit, checkRows } from './check.ts';
import type { RegisterPage, Viewing, ViewingPage } from './port.ts';
import { prepareSchema } from './sqlite-schema.ts';
import { entryOf, kindNumbers, registerOf, statements } from './sqlite-statements.ts';

const PRUNED_MAX = 10_000;
const ROWS_WAITING_MAX = 30_000;
const TITLES_MAX = 1000;

/** Opens viewing state in one SQLite file; see openSqliteFile for its locking and durability. Errors beside the port's: STORE_LOCKED, STORE_NEWER. */
export async function openSqliteViewing(path: string): Promise<Viewing> {
  return openSqliteStore(path, {
    over: (file) => {
      prepareSchema(file);
      return new SqliteViewing(file, path);
    },
  });
}

interface Waiting {
  readonly rows: ViewingRows;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class SqliteViewing implements Viewing {
  readonly #file: SqliteFile;
  readonly #path: string;
  readonly #statements: ReturnType<typeof statements>;
  readonly #write: (all: readonly ViewingRows[]) => void;
  #waiting: Waiting[] = [];
  #rowsWaiting = 0;

  constructor(file: SqliteFile, path: string) {
    this.#file = file;
    this.#path = path;
    this.#statements = statements(file);
    const write = file.transaction((all: readonly ViewingRows[]) => {
      for (const rows of all) this.#put(rows);
    });
    this.#write = (all) => {
      write.immediate(all);
    };
  }

  /** What is joined within one turn of the loop shares a transaction, and so the disk's wait for it. */
  async join(rows: ViewingRows): Promise<void> {
    checkRows(rows);
    const count = rows.registers.length + rows.entries.length;
    if (count === 0) return;
    if (this.#rowsWaiting + count > ROWS_WAITING_MAX)
      throw coded('OVERLOADED', { detail: 'too many rows wait to be written', retryAfterMs: 1000 });
    this.#rowsWaiting += count;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ rows, resolve, reject });
      if (this.#waiting.length === 1)
        setImmediate(() => {
          this.#flush();
        });
    });
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
    if (this.#waiting.length > 0) this.#flush();
    await this.#run(() => {
      checkIds(profileId);
      this.#file.transaction(() => {
        this.#statements.eraseRegisters.run(profileId);
        this.#statements.eraseViewings.run(profileId);
      })();
    });
  }

  prune(beforeMs: number): Promise<number> {
    return this.#run(() => this.#statements.prune.run(beforeMs, PRUNED_MAX).changes);
  }

  purge(): Promise<void> {
    return this.#run(() => {
      purgeSqliteFile(this.#file);
    });
  }

  copyTo(path: string, options: StoreCopyOptions): Promise<void> {
    return copySqlite(this.#file, path, options);
  }

  close(): Promise<void> {
    if (this.#waiting.length > 0) this.#flush();
    return this.#run(() => {
      this.#file.close();
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    this.#rowsWaiting = 0;
    try {
      this.#write(waiting.map(({ rows }) => rows));
      for (const { resolve } of waiting) resolve();
    } catch (error) {
      const failure = sqliteError(error, `viewing state ${this.#path}`);
      for (const { reject } of waiting) reject(failure);
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
    return runSqlite(`viewing state ${this.#path}`, work);
  }
}
