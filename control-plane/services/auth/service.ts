import type { Records } from '../../../common/adapters/records/port.ts';
import type { AccessClaims } from '../../../common/contract/credentials.ts';
import { isApiToken } from '../../../common/core/api-token.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createAccounts, type Accounts } from './accounts.ts';
import { createApiTokens, type ApiTokens } from './api-tokens.ts';
import { coversRole } from './core/roles.ts';
import { openFirstAdmin, type FirstAdmin } from './first-admin.ts';
import { createPasswords } from './passwords.ts';
import { openAuthRecords } from './records.ts';

export interface AuthOptions {
  records: Records;
  clock: Clock;
  chance: Chance;
}

/** Who signs in, and what came of it: accounts, API tokens, sessions. */
export interface Auth {
  accounts: Accounts;
  apiTokens: ApiTokens;
  firstAdmin: FirstAdmin;
  /** Removes an account with everything that it could sign in with. ACCOUNT_UNKNOWN. */
  removeAccount(id: string): Promise<void>;
  /** Verifies an access token that `verifySigned` takes, or a machine's; one of a session only while that lasts. */
  verifier(verifySigned: (token: string) => Promise<AccessClaims>): (token: string) => Promise<AccessClaims>;
}

/** Opens the auth service. */
export async function createAuth({ records: all, clock, chance }: AuthOptions): Promise<Auth> {
  const records = openAuthRecords(all);
  const passwords = createPasswords({ chance });
  const accounts = createAccounts({ records, passwords, clock, chance });
  const findAccount = (id: string) => accounts.find(id);
  const apiTokens = createApiTokens({ records, findAccount, clock, chance });

  /** What the session of a token lets it do now. */
  const live = async (claims: AccessClaims): Promise<AccessClaims> => {
    if (claims.sid === undefined) return claims;
    const { role, sites } = await apiTokens.live(claims.sid);
    if (role === 'service' || !coversRole(role, claims.role))
      throw coded('CREDENTIAL_INVALID', 'whoever made the token may no longer do this');
    return { ...claims, ...(sites !== undefined && { sites }) };
  };

  return {
    accounts,
    apiTokens,
    firstAdmin: await openFirstAdmin({ accounts, chance }),
    async removeAccount(id) {
      await accounts.remove(id);
      await apiTokens.removeOf(id);
    },
    verifier: (verifySigned) => async (token) =>
      isApiToken(token) ? apiTokens.verify(token) : live(await verifySigned(token)),
  };
}
