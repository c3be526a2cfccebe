import type { AccountRole } from '../../../../common/contract/accounts.ts';
import type { AccessRole } from '../../../../common/contract/credentials.ts';

const covered: Readonly<Record<AccountRole, readonly AccessRole[]>> = {
  admin: ['admin', 'operator', 'service', 'viewer'],
  operator: ['operator', 'service', 'viewer'],
  partner: ['partner'],
  viewer: ['viewer'],
};

/** Whether someone of one role may have a token of another. */
export function coversRole(role: AccountRole, wanted: AccessRole): boolean {
  return covered[role].includes(wanted);
}
