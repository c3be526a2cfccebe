import { AuditEntry, type AuditDraft, type AuditMark, type AuditQuery } from '../../contract/audit.ts';
import { Type } from '../../contract/type.ts';
import { sealEntry } from '../../core/audit-chain.ts';
import { coded } from '../../runtime/errors.ts';
import { parseJsonAs } from '../../runtime/parse.ts';
import { copySqlite } from '../shared/sqlite-copy.ts';
import { openSqliteStore, runSqlite, type SqliteFile } from '../shared/sqlite-file.ts';
import { openWalSync, type WalSync, type WalSyncOptions } from '../shared/wal-sync.ts';
import type { StoreCopyOptions } from '../records/port.ts';
import type { AuditLog } from './port.ts';
import { prepareAuditLog } from './sqlite-schema.ts';

const APPEND_MAX = 1000;
const PRUNE_MAX = 10_000;

/**
 * Opens an audit log in one SQLite file, see openSqliteFile for its locking and openWalSync for its durability. Errors beside the port's: STORE_LOCKED,
 * STORE_NEWER, STORE_UNSYNCED.
 */
export async function openSqliteAuditLog(path: string, options: WalSyncOptions): Promise<AuditLog> {
  return openSqliteStore(path, {
    syncs: 'by-owner',
    over: async (file) => {
      prepareAuditLog(file);
      return new SqliteAuditLog(file, path, await openWalSync(file, options));
    },
  });
}

interface Row {
  sequence: number;
  text: string;
  hash: string;
}

function statements(file: SqliteFile) {
  return {
    head: file.prepare<[], AuditMark>('SELECT sequence, hash FROM entries ORDER BY sequence DESC LIMIT 1'),
    anchor: file.prepare<[], AuditMark>('SELECT sequence, hash FROM anchor'),
    mark: file.prepare<[number], AuditMark>('SELECT sequence, hash FROM entries WHERE sequence = ?'),
    put: file.prepare<[number, string, string]>(
      'INSERT INTO entries (sequence, text, hash) VALUES (?, ?, ?)',
    ),
    /** The first up to a number that is not older than a time; by number, since the oldest are looked at. */
    since: file
      .prepare<[number, number], number>(
        'SELECT sequence FROM entries WHERE sequence <= ? AND +at_ms >= ? ORDER BY sequence LIMIT 1',
      )
      .pluck(),
    moveAnchor: file.prepare<[number, string]>('UPDATE anchor SET sequence = ?, hash = ?'),
    drop: file.prepare<[number]>('DELETE FROM entries WHERE sequence <= ?'),
  };
}

class SqliteAuditLog implements AuditLog {
  readonly #file: SqliteFile;
  readonly #path: string;
  readonly #wal: WalSync;
  readonly #statements: ReturnType<typeof statements>;
  readonly #append: (drafts: readonly AuditDraft[]) => AuditEntry[];
  readonly #prune: (upTo: AuditMark) => void;

  constructor(file: SqliteFile, path: string, wal: WalSync) {
    this.#file = file;
    this.#path = path;
    this.#wal = wal;
    this.#statements = statements(file);
    const append = file.transaction((drafts: readonly AuditDraft[]) => this.#chain(drafts));
    this.#append = (drafts) => append.immediate(drafts);
    const prune = file.transaction(({ sequence, hash }: AuditMark) => {
      this.#statements.moveAnchor.run(sequence, hash);
      this.#statements.drop.run(sequence);
    });
    this.#prune = (upTo) => prune.immediate(upTo);
  }

  head(): Promise<AuditMark> {
    return this.#forGood(() => this.#head());
  }

  anchor(): Promise<AuditMark> {
    return this.#run(() => this.#anchor());
  }

  append(drafts: readonly AuditDraft[]): Promise<readonly AuditEntry[]> {
    return this.#forGood(() => {
      if (drafts.length > APPEND_MAX)
        throw coded('VALUE_TOO_LARGE', `${String(drafts.length)} entries at once`);
      this.#wal.wrote();
      return this.#append(drafts);
    });
  }

  read(query: AuditQuery): Promise<readonly AuditEntry[]> {
    return this.#forGood(() => {
      const { sql, values } = selection(query);
      return this.#file
        .prepare<(string | number)[], Row>(sql)
        .all(...values)
        .map((row) => this.#entry(row));
    });
  }

  due({ beforeMs, keepMax }: { beforeMs: number; keepMax: number }): Promise<AuditMark | undefined> {
    return this.#run(() => {
      const head = this.#head().sequence;
      const anchor = this.#anchor().sequence;
      const most = Math.min(anchor + PRUNE_MAX, head - 1);
      // Older entries behind a younger one, which a clock that was set makes, wait for that.
      const young = this.#statements.since.get(most, beforeMs);
      const last = Math.min(Math.max(young === undefined ? most : young - 1, head - keepMax), most);
      return last > anchor ? this.#statements.mark.get(last) : undefined;
    });
  }

  prune(upTo: AuditMark): Promise<void> {
    return this.#forGood(() => {
      const found = this.#statements.mark.get(upTo.sequence);
      if (found?.hash !== upTo.hash)
        throw coded('CONFLICT', `no entry ${String(upTo.sequence)} of this hash`);
      this.#wal.wrote();
      this.#prune(upTo);
    });
  }

  copyTo(path: string, options: StoreCopyOptions): Promise<void> {
    return this.#wal.copy(() => copySqlite(this.#file, path, options));
  }

  close(): Promise<void> {
    return this.#wal.close(() =>
      this.#run(() => {
        this.#file.close();
      }),
    );
  }

  #head(): AuditMark {
    return this.#statements.head.get() ?? this.#anchor();
  }

  #anchor(): AuditMark {
    const anchor = this.#statements.anchor.get();
    if (anchor === undefined) throw coded('STORE_CORRUPT', `${this.#path} has no anchor`);
    return anchor;
  }

  #chain(drafts: readonly AuditDraft[]): AuditEntry[] {
    let last = this.#head();
    return drafts.map((draft) => {
      const { entry, text } = sealEntry(draft, last);
      this.#statements.put.run(entry.sequence, text, entry.hash);
      last = entry;
      return entry;
    });
  }

  #entry({ sequence, text, hash }: Row): AuditEntry {
    const what = `${this.#path}: entry ${String(sequence)}`;
    const bare = parseJsonAs(Bare, text, { what, code: 'STORE_CORRUPT' });
    if (bare.sequence !== sequence)
      throw coded('STORE_CORRUPT', `${what} says that it is ${String(bare.sequence)}`);
    return { ...bare, hash };
  }

  /** Also what is read, which waits only where something was written since the last sync: a head that somebody notes down may not be taken back by a power cut. */
  async #forGood<T>(work: () => T): Promise<T> {
    const done = await this.#run(work);
    await this.#wal.sync();
    return done;
  }

  #run<T>(work: () => T): Promise<T> {
    return runSqlite(`the audit log ${this.#path}`, () => {
      this.#wal.check();
      return work();
    });
  }
}

const { hash: _hash, ...bareProperties } = AuditEntry.properties;
/** What the text of an entry says: everything but its hash. */
const Bare = Type.Object(bareProperties, { additionalProperties: false });

/** A query as SQL with its values. */
function selection(query: AuditQuery): { sql: string; values: (string | number)[] } {
  const { after, before, account, action, object, fromMs, toMs, limit } = query;
  const conditions: readonly (readonly [sql: string, ...values: readonly (string | number | undefined)[]])[] =
    [
      ['sequence > ?', after],
      ['sequence < ?', before],
      ['account = ?', account],
      ['object = ?', object],
      // U+10FFFF, no character, stands behind all that begin so.
      ['action >= ? AND action < ?', action, action && `${action}\u{10ffff}`],
      ['at_ms >= ?', fromMs],
      ['at_ms < ?', toMs],
    ];
  const parts = conditions.filter(([, value]) => value !== undefined);
  const where = parts.length === 0 ? '' : `WHERE ${parts.map(([sql]) => sql).join(' AND ')}`;
  const order = after === undefined ? 'DESC' : 'ASC';
  return {
    sql: `SELECT sequence, text, hash FROM entries ${where} ORDER BY sequence ${order} LIMIT ?`,
    values: [...parts.flatMap(([, ...values]) => values.filter((value) => value !== undefined)), limit],
  };
}
