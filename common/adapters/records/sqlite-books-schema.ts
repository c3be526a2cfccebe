import { entriesMax } from '../../core/ledger.ts';
import { amountMax } from '../../core/money.ts';
import type { SqliteFile } from '../shared/sqlite-file.ts';

const exact = Number.MAX_SAFE_INTEGER;

/** Refuses to change or remove a row, whoever asks: also an INSERT OR REPLACE, by the trigger that comes before it. */
const kept = (table: string, verb: 'UPDATE' | 'DELETE'): string =>
  `CREATE TRIGGER ${table}_no_${verb.toLowerCase()} BEFORE ${verb} ON ${table} BEGIN SELECT RAISE(ABORT, '${table} are kept as they are'); END`;

/**
 * Everything by which SQLite itself keeps the books. Entries come first and the transaction that they belong to seals them: it must
 * balance, no entry joins it later, and a commit with entries that none has sealed fails by the deferred foreign key.
 */
const schema: readonly string[] = [
  `CREATE TABLE ledger_transactions (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at_ms INTEGER NOT NULL CHECK (at_ms >= 0),
    kind TEXT NOT NULL,
    memo TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
  ) STRICT`,
  `CREATE TABLE ledger_entries (
    sequence INTEGER NOT NULL REFERENCES ledger_transactions (sequence) DEFERRABLE INITIALLY DEFERRED,
    line INTEGER NOT NULL CHECK (line BETWEEN 1 AND ${entriesMax}),
    account TEXT NOT NULL CHECK (length(account) > 0),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    amount INTEGER NOT NULL CHECK (amount <> 0 AND amount BETWEEN -${amountMax} AND ${amountMax}),
    PRIMARY KEY (sequence, line)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX ledger_entries_account ON ledger_entries (account, sequence)`,
  `CREATE TABLE ledger_balances (
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount BETWEEN -${exact} AND ${exact}),
    PRIMARY KEY (account, currency)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE papers (
    series TEXT NOT NULL,
    number INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    value TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (series, number)
  ) STRICT`,
  `CREATE TRIGGER ledger_entries_open BEFORE INSERT ON ledger_entries BEGIN
    SELECT RAISE(ABORT, 'the transaction of the entry is sealed')
      WHERE EXISTS (SELECT 1 FROM ledger_transactions WHERE sequence = NEW.sequence);
    SELECT RAISE(ABORT, 'the line is taken')
      WHERE EXISTS (SELECT 1 FROM ledger_entries WHERE sequence = NEW.sequence AND line = NEW.line);
  END`,
  `CREATE TRIGGER ledger_entries_counted AFTER INSERT ON ledger_entries BEGIN
    INSERT INTO ledger_balances (account, currency, amount) VALUES (NEW.account, NEW.currency, NEW.amount)
      ON CONFLICT (account, currency) DO UPDATE SET amount = amount + excluded.amount;
  END`,
  `CREATE TRIGGER ledger_transactions_balanced BEFORE INSERT ON ledger_transactions BEGIN
    SELECT RAISE(ABORT, 'a transaction comes next to the last one')
      WHERE NEW.sequence IS NOT (SELECT COALESCE(MAX(sequence), 0) + 1 FROM ledger_transactions);
    SELECT RAISE(ABORT, 'the id of the transaction is taken')
      WHERE EXISTS (SELECT 1 FROM ledger_transactions WHERE id = NEW.id);
    SELECT RAISE(ABORT, 'a transaction has two entries at least')
      WHERE (SELECT COUNT(*) FROM ledger_entries WHERE sequence = NEW.sequence) < 2;
    SELECT RAISE(ABORT, 'a transaction sums to zero in each currency')
      WHERE EXISTS (SELECT 1 FROM ledger_entries WHERE sequence = NEW.sequence GROUP BY currency HAVING SUM(amount) <> 0);
  END`,
  `CREATE TRIGGER papers_numbered BEFORE INSERT ON papers BEGIN
    SELECT RAISE(ABORT, 'a paper comes next to the last one of its series')
      WHERE NEW.number IS NOT (SELECT COALESCE(MAX(number), 0) + 1 FROM papers WHERE series = NEW.series);
    SELECT RAISE(ABORT, 'the id of the paper is taken') WHERE EXISTS (SELECT 1 FROM papers WHERE id = NEW.id);
  END`,
  ...['ledger_transactions', 'ledger_entries', 'papers'].flatMap((table) => [
    kept(table, 'UPDATE'),
    kept(table, 'DELETE'),
  ]),
  kept('ledger_balances', 'DELETE'),
];

const nameOf = (statement: string): string => /^CREATE \w+ (\w+)/.exec(statement)?.[1] ?? '';

/** Makes the tables of books, with all that guards them, where there are none. */
export function prepareBooks(file: SqliteFile): void {
  file.transaction(() => {
    if (standing(file).size > 0) return;
    for (const statement of schema) file.exec(statement);
  })();
}

/** What of the tables and their guards is not as it was made, by name. */
export function alteredParts(file: SqliteFile): string[] {
  const found = standing(file);
  return schema.filter((statement) => found.get(nameOf(statement)) !== statement).map(nameOf);
}

function standing(file: SqliteFile): Map<string, string> {
  const names = schema.map(nameOf);
  const rows = file
    .prepare<[], { name: string; sql: string }>('SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL')
    .all();
  return new Map(rows.filter(({ name }) => names.includes(name)).map(({ name, sql }) => [name, sql]));
}
