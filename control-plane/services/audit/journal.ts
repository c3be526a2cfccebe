import type { AuditLog } from '../../../common/adapters/audit-log/port.ts';
import type { AuditDraft, AuditEntry } from '../../../common/contract/audit.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';

/** Writes to an audit log what comes at the same time in one commit. */
export interface Journal {
  /** Resolves once it is durable. AUDIT_UNAVAILABLE when it cannot be written, OVERLOADED when too much waits. */
  append(draft: AuditDraft): Promise<AuditEntry>;
  /** Writes what waits now. */
  flush(): Promise<void>;
}

/** How many may wait for the disk at a time. */
const unansweredMax = 5000;
const commitMax = 500;

interface Waiting {
  draft: AuditDraft;
  resolve: (entry: AuditEntry) => void;
  reject: (error: unknown) => void;
}

/** Opens the journal of an audit log. Each failed commit is logged: what waits on it hears of it, what ended before does not. */
export function createJournal({ auditLog, log }: { auditLog: AuditLog; log: Log }): Journal {
  const waiting: Waiting[] = [];
  let unanswered = 0;
  let gathering: Promise<void> | undefined;
  const writing = new Set<Promise<void>>();

  const commit = async (group: readonly Waiting[]): Promise<void> => {
    try {
      const entries = await auditLog.append(group.map(({ draft }) => draft));
      for (const [at, { resolve }] of group.entries()) {
        const entry = entries[at];
        if (entry !== undefined) resolve(entry);
      }
    } catch (cause) {
      log.error({ err: cause, entries: group.length }, 'the audit log cannot be written');
      for (const { reject } of group)
        reject(coded('AUDIT_UNAVAILABLE', { detail: 'nothing was done; the log says why', cause }));
    }
    unanswered -= group.length;
  };
  const write = async (): Promise<void> => {
    // What comes in the same turn goes with it: a commit costs a flush of the disk, however much is in it.
    await new Promise((resolve) => setImmediate(resolve));
    gathering = undefined;
    // None waits for the one before it: the chain is made as they are written, and what they wait for is the disk.
    while (waiting.length > 0) {
      const written = commit(waiting.splice(0, commitMax)).finally(() => writing.delete(written));
      writing.add(written);
    }
  };
  return {
    append(draft) {
      if (unanswered >= unansweredMax)
        throw coded('OVERLOADED', { detail: 'too much waits for the audit log', retryAfterMs: 1000 });
      return new Promise((resolve, reject) => {
        unanswered++;
        waiting.push({ draft, resolve, reject });
        gathering ??= write();
      });
    },
    flush: async () => {
      await gathering;
      await Promise.all(writing);
    },
  };
}
