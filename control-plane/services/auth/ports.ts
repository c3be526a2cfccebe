import type { AuditDraft } from '../../../common/contract/audit.ts';

/** An act as the audit log has it. */
export type AuthAct = Pick<
  AuditDraft,
  'account' | 'role' | 'session' | 'network' | 'action' | 'object' | 'detail'
>;

/** What sign-in needs of the audit log. */
export interface AuthAudit {
  /** Does an act between two entries; not at all where the first cannot be written (AUDIT_UNAVAILABLE). */
  run<T>(act: AuthAct, work: () => Promise<T>, objectOf?: (value: T) => string): Promise<T>;
  /** Counts a refusal. */
  count(event: Pick<AuthAct, 'account' | 'role' | 'network' | 'action'> & { code: string }): void;
}
