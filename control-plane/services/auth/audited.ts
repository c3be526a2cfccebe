import { networkOf } from './core/client-network.ts';
import type { AuthAct, AuthAudit } from './ports.ts';
import type { AccountRecord } from './records.ts';

/** Someone who signs in, or tries to, and from where. */
export interface Person {
  account: AccountRecord | undefined;
  address: string;
}

/** Does an act of a person on the pages: between two entries of the audit log, unless it is a viewer's. */
export function auditedRun<T>(
  audit: AuthAudit,
  person: Person,
  { act, work }: { act: Pick<AuthAct, 'action' | 'object' | 'detail'>; work: () => Promise<T> },
): Promise<T> {
  const actor = actorOf(person);
  return actor.role === undefined ? work() : audit.run({ ...actor, ...act }, work);
}

/** Counts a refusal; viewers, and those who are nobody, are counted together and without their addresses. */
export function countRefusal(
  audit: AuthAudit,
  person: Person,
  { action, code }: { action: string; code: string },
): void {
  audit.count({ ...actorOf(person), action, code });
}

function actorOf({ account, address }: Person): Pick<AuthAct, 'account' | 'role' | 'network'> {
  if (account === undefined || account.role === 'viewer') return { account: '-' };
  return { account: account.id, role: account.role, network: networkOf(address) };
}
