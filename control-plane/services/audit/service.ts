import type { AuditLog } from '../../../common/adapters/audit-log/port.ts';
import type { AuditDraft, AuditPage, AuditQuery } from '../../../common/contract/audit.ts';
import { formatMark, pruneAction } from '../../../common/core/audit-chain.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { isCoded, toCoded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { RepeatedEvents, type RepeatedEvent } from './core/repeated.ts';
import { createJournal, type Journal } from './journal.ts';

/** Who is about to do what. */
export type AuditAct = Pick<
  AuditDraft,
  'account' | 'role' | 'session' | 'network' | 'action' | 'object' | 'detail'
>;

/** An act whose beginning is written. */
export interface BegunAct {
  readonly act: AuditAct;
  readonly sequence: number;
}

/** How an act ended; `object` where it was not known before. */
export type AuditEnd = Pick<AuditDraft, 'outcome' | 'code' | 'object'>;

/** The log of privileged acts: a chain that shows what was changed in it. */
export interface Audit {
  /** Writes that an act begins; it may be done once this resolves. AUDIT_UNAVAILABLE, OVERLOADED. */
  begin(act: AuditAct): Promise<BegunAct>;
  /** Writes how it ended, behind the answer. */
  end(begun: BegunAct, how: AuditEnd): void;
  /** Does an act between its two entries; it is not done where the first cannot be written. */
  run<T>(act: AuditAct, work: () => Promise<T>, objectOf?: (value: T) => string): Promise<T>;
  /** Counts what is written in sum, each minute. */
  count(event: RepeatedEvent): void;
  /** Entries with the marks of both ends, everything that happened until now among them. */
  page(query: AuditQuery): Promise<AuditPage>;
  /** Writes the sums, takes away what is too old, and says the head to the process's own log, until the signal is aborted. */
  watch(signal: AbortSignal): Promise<void>;
  /** Writes what has not been written. */
  stop(): Promise<void>;
}

export interface AuditOptions {
  auditLog: AuditLog;
  /** How long entries are kept. */
  keepMs: number;
  clock: Clock;
  log: Log;
}

const sumEveryMs = 60_000;
const minutesOfADay = 24 * 60;
/** About 2 GB. What a day brings is thousands at the most, so that age decides. */
const entriesMax = 4_000_000;

/** Opens the audit log. */
export function createAudit(options: AuditOptions): Audit {
  const { auditLog, clock, log } = options;
  const journal = createJournal({ auditLog, log });
  const repeated = new RepeatedEvents();

  const begin = async (act: AuditAct): Promise<BegunAct> => {
    const { sequence } = await journal.append({ ...act, atMs: clock.nowMs(), outcome: 'begun' });
    return { act, sequence };
  };
  const write = (draft: AuditDraft): void => {
    // The journal has logged it, and whoever acts next is refused.
    Promise.try(() => journal.append(draft)).catch(() => undefined);
  };
  const end = ({ act, sequence }: BegunAct, how: AuditEnd): void => {
    write({ ...act, ...how, atMs: clock.nowMs(), of: sequence });
  };
  const writeSums = async (): Promise<void> => {
    for (const draft of repeated.take(clock.nowMs())) write(draft);
    await journal.flush();
  };
  return {
    begin,
    end,
    async run(act, work, objectOf) {
      const begun = await begin(act);
      try {
        const value = await work();
        const object = objectOf?.(value);
        end(begun, { outcome: 'done', ...(object !== undefined && { object }) });
        return value;
      } catch (error) {
        const { code, status } = toCoded(error);
        end(begun, { outcome: status < 500 ? 'refused' : 'failed', code });
        throw error;
      }
    },
    count(event) {
      repeated.add(event);
    },
    async page(query) {
      await writeSums();
      const [entries, head, anchor] = [auditLog.read(query), auditLog.head(), auditLog.anchor()];
      return { entries: [...(await entries)], head: await head, anchor: await anchor };
    },
    watch: (signal) => upkeep(options, { journal, writeSums, signal }),
    async stop() {
      await writeSums();
      await sayHead(options);
    },
  };
}

/** Each minute the sums, each hour what is too old, each day the head. */
async function upkeep(
  options: AuditOptions,
  { journal, writeSums, signal }: { journal: Journal; writeSums: () => Promise<void>; signal: AbortSignal },
): Promise<void> {
  const { clock, log } = options;
  for (let minute = 0; !signal.aborted; minute++) {
    try {
      await writeSums();
      if (minute % 60 === 0) await prune(options, journal);
      if (minute % minutesOfADay === 0) await sayHead(options);
    } catch (error) {
      if (!isCoded(error)) throw error;
      log.error({ err: error }, 'the audit log cannot be looked after');
    }
    await clock.sleep(sumEveryMs, { signal }).catch(() => undefined);
  }
}

async function prune({ auditLog, clock, keepMs }: AuditOptions, journal: Journal): Promise<void> {
  for (;;) {
    const mark = await auditLog.due({ beforeMs: clock.nowMs() - keepMs, keepMax: entriesMax });
    if (mark === undefined) return;
    // First said, then done: a chain that begins later than an entry says was cut by somebody else.
    const object = formatMark(mark);
    await journal.append({
      ...{ atMs: clock.nowMs(), account: '-', action: pruneAction, object, outcome: 'done' },
    });
    await auditLog.prune(mark);
  }
}

async function sayHead({ auditLog, log }: Pick<AuditOptions, 'auditLog' | 'log'>): Promise<void> {
  log.info({ head: formatMark(await auditLog.head()) }, 'head of the audit log');
}
