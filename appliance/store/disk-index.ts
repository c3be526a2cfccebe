import { rm } from 'node:fs/promises';

import { openSqliteFile, sqliteError, type SqliteFile } from '../../common/adapters/shared/sqlite-file.ts';
import { coded, isCoded, systemCode, type CodedError } from '../../common/runtime/errors.ts';
import { storeFailure } from './failure.ts';
import type { SizedFile } from './packed-files.ts';

/** What the index says of a file. */
export interface IndexedFile {
  readonly sizeBytes: number;
  /** It was being published, deleted or sent back: only the disk knows how far that came. */
  readonly isChanging: boolean;
}

interface Row {
  name: string;
  size: number;
  changing: number;
}

const formatVersion = 1;
const schema = `
  DROP TABLE IF EXISTS file;
  CREATE TABLE file (name TEXT PRIMARY KEY, size INTEGER NOT NULL, changing INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;

/**
 * Which files a disk holds, so that a start need not look at each of them. Every change is durable before it is done on
 * the disk (`change`) and after (`hold`, `drop`): however a process ends, what the index does not know for sure it says is
 * changing. One process at a time has it open, by a lock of the kernel. Works at once, without yielding: only for a process
 * that nobody else waits for. Errors: DISK_FAILED, DISK_FULL, STORE_CORRUPT, STORE_UNAVAILABLE.
 */
export class DiskIndex {
  readonly #file: SqliteFile;
  readonly #statements: ReturnType<typeof prepare>;

  private constructor(file: SqliteFile) {
    this.#file = file;
    this.#statements = prepare(file);
  }

  /**
   * Opens the index at a path. One that is not there, not finished or damaged is made anew of what `scan` finds, file → bytes.
   *
   * @throws STORE_LOCKED while another process has it, STORE_NEWER for one of a newer version.
   */
  static async open(
    path: string,
    scan: (why: 'absent' | 'damaged') => Promise<ReadonlyMap<string, number>>,
  ): Promise<DiskIndex> {
    let opened = await openChecked(path);
    const wasDamaged = opened === undefined;
    if (opened === undefined) {
      for (const end of ['', '-wal', '-shm']) await rm(`${path}${end}`, { force: true });
      opened = await openChecked(path);
      if (opened === undefined) throw coded('STORE_CORRUPT', `${path} is damaged as soon as it is made`);
    }
    try {
      if (versionOf(opened) === 0) fill(opened, await scan(wasDamaged ? 'damaged' : 'absent'));
      return new DiskIndex(opened);
    } catch (error) {
      opened.close();
      throw indexFailure(error, `making ${path}`);
    }
  }

  /** Every file of which the index is sure, with its bytes. */
  held(): SizedFile[] {
    return this.#do('reading', ({ held }) => held.all());
  }

  /** Every file that is changing. */
  changing(): string[] {
    return this.#do('reading', ({ changing }) => changing.all());
  }

  /** Every file whose name begins with these two digits. */
  inFolder(folder: string): Map<string, IndexedFile> {
    // After every hex digit.
    return this.#do(
      'reading',
      (statements) => new Map(statements.folder.all(folder, `${folder}g`).map(named)),
    );
  }

  get(file: string): IndexedFile | undefined {
    const row = this.#do('reading', ({ one }) => one.get(file));
    return row && named(row)[1];
  }

  /** The file is about to be published, deleted or sent back. */
  change(file: string, sizeBytes: number): void {
    this.#do('changing', ({ put }) => put.run(file, sizeBytes, 1));
  }

  /** The file is held. */
  hold(file: string, sizeBytes: number): void {
    this.#do('changing', ({ put }) => put.run(file, sizeBytes, 0));
  }

  /** The file is not held. */
  drop(file: string): void {
    this.#do('changing', ({ drop }) => drop.run(file));
  }

  close(): void {
    this.#file.close();
  }

  #do<T>(what: string, work: (statements: ReturnType<typeof prepare>) => T): T {
    try {
      return work(this.#statements);
    } catch (error) {
      throw indexFailure(error, `${what} ${this.#file.name}`);
    }
  }
}

function prepare(file: SqliteFile) {
  return {
    held: file.prepare<[], [string, number]>('SELECT name, size FROM file WHERE changing = 0').raw(),
    changing: file.prepare<[], string>('SELECT name FROM file WHERE changing <> 0').pluck(),
    folder: file.prepare<[string, string], Row>(
      'SELECT name, size, changing FROM file WHERE name >= ? AND name < ?',
    ),
    one: file.prepare<[string], Row>('SELECT name, size, changing FROM file WHERE name = ?'),
    put: file.prepare<[string, number, number]>(
      'INSERT INTO file VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET size = excluded.size, changing = excluded.changing',
    ),
    drop: file.prepare<[string]>('DELETE FROM file WHERE name = ?'),
  };
}

function named({ name, size, changing }: Row): [string, IndexedFile] {
  return [name, { sizeBytes: size, isChanging: changing !== 0 }];
}

/** Undefined where what is there is damaged. */
async function openChecked(path: string): Promise<SqliteFile | undefined> {
  let file: SqliteFile | undefined;
  try {
    file = await openSqliteFile(path);
    const version = versionOf(file);
    if (version > formatVersion) {
      const detail = `${path} has format ${version}, this program knows up to ${formatVersion}; upgrade it`;
      throw coded('STORE_NEWER', detail);
    }
    if (file.pragma('quick_check(1)', { simple: true }) === 'ok') return file;
    file.close();
    return undefined;
  } catch (error) {
    file?.close();
    const failure = indexFailure(error, `opening ${path}`);
    if (failure.code === 'STORE_CORRUPT') return undefined;
    throw failure;
  }
}

function versionOf(file: SqliteFile): number {
  return Number(file.pragma('user_version', { simple: true }));
}

/** In one step: a process that ends in the middle of it leaves an index that is not there. */
function fill(file: SqliteFile, held: ReadonlyMap<string, number>): void {
  file.transaction(() => {
    file.exec(schema);
    const insert = file.prepare<[string, number]>('INSERT INTO file VALUES (?, ?, 0)');
    for (const [name, sizeBytes] of held) insert.run(name, sizeBytes);
    file.pragma(`user_version = ${formatVersion}`);
  })();
}

// https://www.sqlite.org/rescode.html: extended codes begin with the primary one.
function indexFailure(error: unknown, what: string): CodedError {
  const met = isCoded(error) ? error.cause : error;
  if ((systemCode(met) ?? '').startsWith('SQLITE_IOERR'))
    return coded('DISK_FAILED', { detail: `${what}: ${String(met)}`, cause: met });
  return (systemCode(met) ?? '').startsWith('SQLITE_') ? sqliteError(error, what) : storeFailure(error, what);
}
