import type { RegisterKind, ViewingEntry, ViewingRegister } from '../../core/viewing-state.ts';
import type { SqliteFile } from '../shared/sqlite-file.ts';

/** Kinds as they stand in the table. */
export const kindNumbers: Readonly<Record<RegisterKind, number>> = {
  progress: 1,
  list: 2,
  rating: 3,
  forgotten: 4,
  hidden: 5,
};
const kinds = new Map(Object.entries(kindNumbers).map(([kind, number]) => [number, kind as RegisterKind]));

interface RegisterRow {
  profile: string;
  kind: number;
  title: string;
  at_ms: number;
  device: string;
  sequence: number;
  value: number;
}

interface EntryRow {
  profile: string;
  started_ms: number;
  viewing: string;
  at_ms: number;
  device: string;
  sequence: number;
  position_ms: number;
  watched_ms: number;
  title: string;
}

/** A row of the table as a register. */
export function registerOf({
  profile,
  kind,
  title,
  at_ms,
  device,
  sequence,
  value,
}: RegisterRow): ViewingRegister {
  const stamp = { atMs: at_ms, deviceId: device, sequence };
  return { profileId: profile, kind: kinds.get(kind) ?? 'progress', titleId: title, stamp, value };
}

/** A row of the table as a viewing. */
export function entryOf(row: EntryRow): ViewingEntry {
  return {
    profileId: row.profile,
    startedAtMs: row.started_ms,
    viewingId: row.viewing,
    titleId: row.title,
    stamp: { atMs: row.at_ms, deviceId: row.device, sequence: row.sequence },
    positionMs: row.position_ms,
    watchedMs: row.watched_ms,
  };
}

/** What is asked of the file, prepared once. A write is put only over what is earlier: the order is that of viewing-state.ts. */
export function statements(file: SqliteFile) {
  return {
    register: file.prepare<[string, number, string], RegisterRow>(
      'SELECT * FROM registers WHERE profile = ? AND kind = ? AND title = ?',
    ),
    registers: file.prepare<[string, number, string, number], RegisterRow>(
      'SELECT * FROM registers WHERE profile = ? AND kind = ? AND title > ? ORDER BY title LIMIT ?',
    ),
    newestViewings: file.prepare<[string, number], EntryRow>(
      'SELECT * FROM viewings WHERE profile = ? ORDER BY started_ms DESC, viewing DESC LIMIT ?',
    ),
    viewingsBefore: file.prepare<[string, number, string, number], EntryRow>(
      `SELECT * FROM viewings WHERE profile = ? AND (started_ms, viewing) < (?, ?)
       ORDER BY started_ms DESC, viewing DESC LIMIT ?`,
    ),
    putRegister: file.prepare<[string, number, string, number, string, number, number]>(
      `INSERT INTO registers (profile, kind, title, at_ms, device, sequence, value) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (profile, kind, title) DO UPDATE
       SET at_ms = excluded.at_ms, device = excluded.device, sequence = excluded.sequence, value = excluded.value
       WHERE (excluded.at_ms, excluded.device, excluded.sequence, excluded.value) > (at_ms, device, sequence, value)`,
    ),
    putEntry: file.prepare<[string, number, string, number, string, number, number, number, string]>(
      `INSERT INTO viewings (profile, started_ms, viewing, at_ms, device, sequence, position_ms, watched_ms, title)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (profile, started_ms, viewing) DO UPDATE
       SET at_ms = excluded.at_ms, device = excluded.device, sequence = excluded.sequence,
         position_ms = excluded.position_ms, watched_ms = excluded.watched_ms, title = excluded.title
       WHERE (excluded.at_ms, excluded.device, excluded.sequence, excluded.position_ms, excluded.watched_ms, excluded.title)
         > (at_ms, device, sequence, position_ms, watched_ms, title)`,
    ),
    eraseRegisters: file.prepare<[string]>('DELETE FROM registers WHERE profile = ?'),
    eraseViewings: file.prepare<[string]>('DELETE FROM viewings WHERE profile = ?'),
    prune: file.prepare<[number, number]>(
      `DELETE FROM viewings WHERE (profile, started_ms, viewing) IN
       (SELECT profile, started_ms, viewing FROM viewings WHERE started_ms < ? ORDER BY started_ms LIMIT ?)`,
    ),
  };
}
