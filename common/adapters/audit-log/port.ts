import type { AuditDraft, AuditEntry, AuditMark, AuditQuery } from '../../contract/audit.ts';
import type { StoreCopyOptions } from '../records/port.ts';

/**
 * A chain of entries that only grows: each names the hash of the one before, and what is written is never changed. Only from its
 * oldest end may entries be taken away, and the mark of the last of those stays.
 * Errors: DISK_FULL, STORE_CORRUPT, STORE_DENIED, STORE_UNAVAILABLE, VALUE_TOO_LARGE.
 */
export interface AuditLog {
  /** The newest entry's mark. */
  head(): Promise<AuditMark>;
  /** The mark of the last entry that was taken away, or the one before all entries. */
  anchor(): Promise<AuditMark>;
  /** Appends all of them (at most 1,000) or none; they survive a power cut once this resolves. */
  append(drafts: readonly AuditDraft[]): Promise<readonly AuditEntry[]>;
  /** Entries as they stand in the store, whether the chain is whole or not. */
  read(query: AuditQuery): Promise<readonly AuditEntry[]>;
  /**
   * The mark up to which entries may go, at most 10,000 of them: all that are older than a time, and all but the newest
   * `keepMax`. Undefined where there are none; the newest never goes.
   */
  due(limits: { beforeMs: number; keepMax: number }): Promise<AuditMark | undefined>;
  /** Takes away every entry up to a mark. CONFLICT where no such entry is there. */
  prune(upTo: AuditMark): Promise<void>;
  /** Copies it to a new local file that the same engine opens, while it is read and grows. It is on the disk when this resolves. */
  copyTo(path: string, options: StoreCopyOptions): Promise<void>;
  close(): Promise<void>;
}
