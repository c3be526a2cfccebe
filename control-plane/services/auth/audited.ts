import type { Log } from '../../../common/runtime/log.ts';
import type { Accounts } from './accounts.ts';
import { networkOf } from './core/client-network.ts';
import type { AuthAct, AuthAudit } from './ports.ts';
import type { AccountRecord } from './records.ts';

/** Someone who signs in, or tries to, and from where. */
export interface Person {
  account: AccountRecord | undefined;
  /** Absent where it is not known. */
  address?: string | undefined;
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
  const { id, role } = account;
  return { account: id, role, ...(address !== undefined && { network: networkOf(address) }) };
}

/** Makes what counts things that were to be used once and came again. */
export function createReuseCounter({
  accounts,
  audit,
  log,
}: {
  accounts: Pick<Accounts, 'find'>;
  audit: AuthAudit;
  log: Log;
}): (what: string, reuse: { accountId: string; address?: string }) => void {
  const count = async (what: string, { accountId, address }: { accountId: string; address?: string }) => {
    const person = { account: await accounts.find(accountId), address };
    countRefusal(audit, person, { action: `${what} used twice`, code: 'CREDENTIAL_INVALID' });
  };
  return (what, reuse) => {
    count(what, reuse).catch((error: unknown) => {
      log.error({ err: error }, `that a ${what} was used twice could not be counted`);
    });
  };
}
