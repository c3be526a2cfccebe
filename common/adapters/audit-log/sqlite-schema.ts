import { auditBeginning } from '../../core/audit-chain.ts';
import { sqliteSchemaVersion, type SqliteFile } from '../shared/sqlite-file.ts';

/** Marks a file as an audit log: "NCld". https://www.sqlite.org/fileformat.html#application_id */
const APPLICATION_ID = 0x4e436c64;
const SCHEMA_VERSION = 1;

/**
 * Makes the tables where there are none. `text` is the truth, and what is searched by is taken from it; the triggers refuse whatever
 * a chain does not allow, to whoever opens the file.
 *
 * @throws STORE_CORRUPT for a file of another program, STORE_NEWER.
 */
export function prepareAuditLog(file: SqliteFile): void {
  if (sqliteSchemaVersion(file, { applicationId: APPLICATION_ID, version: SCHEMA_VERSION }) > 0) return;
  file.transaction(() => {
    file.exec(tables);
    file.prepare('INSERT INTO anchor VALUES (1, ?, ?)').run(auditBeginning.sequence, auditBeginning.hash);
    file.exec(triggers);
    file.pragma(`user_version = ${String(SCHEMA_VERSION)}`);
    file.pragma(`application_id = ${String(APPLICATION_ID)}`);
  })();
}

const field = (name: string, type: string, path: string): string =>
  `${name} ${type} GENERATED ALWAYS AS (text ->> '$.${path}') VIRTUAL`;

const tables = `
  CREATE TABLE entries (
    sequence INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    hash TEXT NOT NULL,
    ${field('number', 'INTEGER', 'sequence')},
    ${field('previous', 'TEXT', 'previous')},
    ${field('at_ms', 'INTEGER', 'atMs')},
    ${field('account', 'TEXT', 'account')},
    ${field('action', 'TEXT', 'action')},
    ${field('object', 'TEXT', 'object')}
  ) STRICT;
  CREATE INDEX entries_at ON entries (at_ms);
  CREATE INDEX entries_account ON entries (account);
  CREATE INDEX entries_action ON entries (action);
  CREATE INDEX entries_object ON entries (object) WHERE object IS NOT NULL;
  CREATE TABLE anchor (one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
`;

const triggers = `
  CREATE TRIGGER entries_follow BEFORE INSERT ON entries
  WHEN new.sequence IS NOT coalesce((SELECT max(sequence) FROM entries), (SELECT sequence FROM anchor)) + 1
    OR new.text ->> '$.sequence' IS NOT new.sequence
    OR new.text ->> '$.previous' IS NOT coalesce(
      (SELECT hash FROM entries WHERE sequence = new.sequence - 1), (SELECT hash FROM anchor))
  BEGIN SELECT RAISE(ABORT, 'an entry follows the one before'); END;
  CREATE TRIGGER entries_stay BEFORE UPDATE ON entries
  BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END;
  CREATE TRIGGER entries_kept BEFORE DELETE ON entries
  WHEN old.sequence > (SELECT sequence FROM anchor)
  BEGIN SELECT RAISE(ABORT, 'entries go from the oldest end, once the anchor is there'); END;
  CREATE TRIGGER anchor_forward BEFORE UPDATE ON anchor
  WHEN new.sequence <= old.sequence
    OR new.hash IS NOT (SELECT hash FROM entries WHERE sequence = new.sequence)
    OR new.sequence IS (SELECT max(sequence) FROM entries)
  BEGIN SELECT RAISE(ABORT, 'the anchor goes forward, from entry to entry'); END;
  CREATE TRIGGER anchor_one BEFORE INSERT ON anchor
  BEGIN SELECT RAISE(ABORT, 'there is one anchor'); END;
  CREATE TRIGGER anchor_stays BEFORE DELETE ON anchor
  BEGIN SELECT RAISE(ABORT, 'there is one anchor'); END;
`;
