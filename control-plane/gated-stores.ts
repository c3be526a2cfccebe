import type { AuditLog } from '../common/adapters/audit-log/port.ts';
import type { Books, Records } from '../common/adapters/records/port.ts';
import type { Viewing } from '../common/adapters/viewing/port.ts';

/** Holds changes back while it is closed. */
export interface Gate {
  close(): void;
  open(): void;
  /** What a change waits for; undefined while the gate is open. */
  closed(): Promise<void> | undefined;
}

/** Makes an open gate. */
export function createGate(): Gate {
  let held: PromiseWithResolvers<void> | undefined;
  return {
    close() {
      held ??= Promise.withResolvers();
    },
    open() {
      held?.resolve();
      held = undefined;
    },
    closed: () => held?.promise,
  };
}

/** Runs changes while a gate is open: without a turn of the event loop, as ever, where it is. */
function behindOf(gate: Gate): <T>(change: () => Promise<T>) => Promise<T> {
  return (change) => gate.closed()?.then(change) ?? change();
}

/** The same audit log, whose changes wait while the gate is closed. */
export function gatedAuditLog(auditLog: AuditLog, gate: Gate): AuditLog {
  const behind = behindOf(gate);
  return {
    head: () => auditLog.head(),
    anchor: () => auditLog.anchor(),
    read: (query) => auditLog.read(query),
    due: (limits) => auditLog.due(limits),
    append: (drafts) => behind(() => auditLog.append(drafts)),
    prune: (upTo) => behind(() => auditLog.prune(upTo)),
    copyTo: (path, options) => auditLog.copyTo(path, options),
    close: () => auditLog.close(),
  };
}

/** The same records, whose changes wait while the gate is closed. */
export function gatedRecords(records: Records, gate: Gate): Records {
  const behind = behindOf(gate);
  return {
    get: (collection, key) => records.get(collection, key),
    scan: (collection, options) => records.scan(collection, options),
    put: (collection, key, value) => behind(() => records.put(collection, key, value)),
    remove: (collection, key) => behind(() => records.remove(collection, key)),
    commit: (operations) => behind(() => records.commit(operations)),
    copyTo: (path, options) => records.copyTo(path, options),
    purge: () => behind(() => records.purge()),
    close: () => records.close(),
  };
}

/** The same books, whose changes wait while the gate is closed. */
export function gatedBooks(books: Books, gate: Gate): Books {
  const behind = behindOf(gate);
  return {
    ...gatedRecords(books, gate),
    book: (booking) => behind(() => books.book(booking)),
    transaction: (id) => books.transaction(id),
    transactions: (options) => books.transactions(options),
    balances: (options) => books.balances(options),
    paper: (id) => books.paper(id),
    papers: (series, options) => books.papers(series, options),
    lastNumber: (series) => books.lastNumber(series),
    verify: () => books.verify(),
  };
}

/** The same viewing state, whose changes wait while the gate is closed. */
export function gatedViewing(viewing: Viewing, gate: Gate): Viewing {
  const behind = behindOf(gate);
  return {
    registersOf: (profileId, kind, titleIds) => viewing.registersOf(profileId, kind, titleIds),
    registers: (profileId, kind, page) => viewing.registers(profileId, kind, page),
    viewings: (profileId, page) => viewing.viewings(profileId, page),
    join: (rows) => behind(() => viewing.join(rows)),
    erase: (profileId) => behind(() => viewing.erase(profileId)),
    prune: (beforeMs) => behind(() => viewing.prune(beforeMs)),
    purge: () => behind(() => viewing.purge()),
    copyTo: (path, options) => viewing.copyTo(path, options),
    close: () => viewing.close(),
  };
}

/** Where several meet before they go on; `fail` sends all of them away. */
export interface Meeting {
  /** Resolves when the last has come, after `onMet`. */
  arrive(): Promise<void>;
  fail(error: unknown): void;
}

/** Makes a meeting of so many. */
export function createMeeting(count: number, onMet: () => void): Meeting {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Nobody may be waiting yet.
  promise.catch(() => undefined);
  let missing = count;
  return {
    arrive() {
      missing--;
      if (missing === 0) {
        onMet();
        resolve();
      }
      return promise;
    },
    fail: reject,
  };
}
