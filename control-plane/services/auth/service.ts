import type { Mail } from '../../../common/adapters/mail/port.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { AccountPatch, AccountRole, AccountView } from '../../../common/contract/accounts.ts';
import type { AccessClaims } from '../../../common/contract/credentials.ts';
import { isApiToken } from '../../../common/core/api-token.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { SigningKey } from '../../../common/runtime/keys.ts';
import type { Log } from '../../../common/runtime/log.ts';
import type { PersonalData } from '../personal-data.ts';
import { createAccounts, type Accounts } from './accounts.ts';
import { createReuseCounter } from './audited.ts';
import { createApiTokens, type ApiTokens } from './api-tokens.ts';
import { coversRole } from './core/roles.ts';
import { openFirstAdmin, type FirstAdmin } from './first-admin.ts';
import type { AuthAudit } from './ports.ts';
import { createPasskeys, type Passkeys } from './passkeys.ts';
import { personalAccounts } from './personal.ts';
import { createPasswords, type Passwords } from './passwords.ts';
import { createOidcStore } from './oidc/adapter.ts';
import { createClients, type Clients } from './oidc/clients.ts';
import { createOidc, type Oidc } from './oidc/provider.ts';
import type { LeftWays } from './letters.ts';
import { createOutbox } from './outbox.ts';
import { openAuthRecords } from './records.ts';
import { createRecovery, type Recovery } from './recovery.ts';
import { openSeals, type Seals } from '../seals.ts';
import { createSecondFactor, type SecondFactor } from './second-factor.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { createSignIn, type SignIn } from './sign-in.ts';

export interface AuthOptions {
  audit: AuthAudit;
  records: Records;
  mail: Mail;
  /** How people and programs reach this: the issuer of OAuth. */
  publicUrl: () => string;
  /** The keys of access tokens, the one that signs first. */
  keys: () => readonly SigningKey[];
  /** Roles that may do nothing unless codes of an authenticator are asked for at sign-in. */
  secondFactorRoles: readonly AccountRole[];
  log: Log;
  clock: Clock;
  chance: Chance;
  /** The records are those of a backup: how far chains of refresh tokens came since, and which sessions ended, is not known. */
  isRestored: boolean;
}

/** Who signs in, and what came of it: accounts, API tokens, sessions. */
export interface Auth {
  accounts: Accounts;
  passwords: Passwords;
  apiTokens: ApiTokens;
  firstAdmin: FirstAdmin;
  sessions: Sessions;
  clients: Clients;
  oidc: Oidc;
  signIn: SignIn;
  seals: Seals;
  /** Changes an account; a new password ends its sessions. ACCOUNT_UNKNOWN, PASSWORD_WEAK, INVALID. */
  changeAccount(id: string, patch: AccountPatch): Promise<AccountView>;
  secondFactor: SecondFactor;
  passkeys: Passkeys;
  recovery: Recovery;
  audit: AuthAudit;
  /** Accounts, and everything that they could sign in with. */
  personal: PersonalData;
  /** Verifies an access token that `verifySigned` takes, or a machine's; one of a session only while that lasts. */
  verifier(verifySigned: (token: string) => Promise<AccessClaims>): (token: string) => Promise<AccessClaims>;
  /** Removes what has ended, until the signal is aborted. */
  watch(signal: AbortSignal): Promise<void>;
  /** Gives up letters that have not been sent. */
  stop(): Promise<void>;
}

const pruneEveryMs = 60_000;

/** What lets an account in without its password. */
function leftWaysOf({ passkeys, apiTokens }: Pick<Auth, 'passkeys' | 'apiTokens'>) {
  return async (id: string): Promise<LeftWays> => ({
    passkeys: (await passkeys.list(id)).map(({ name }) => name),
    apiTokens: (await apiTokens.list(id)).map(({ name }) => name),
  });
}

/** Opens the auth service. */
export async function createAuth(options: AuthOptions): Promise<Auth> {
  const { clock, chance, log, publicUrl, audit } = options;
  const records = openAuthRecords(options.records);
  const passwords = createPasswords({ chance });
  const onAdd = (id: string): void => {
    recovery.askConfirmation(id);
  };
  const accounts = createAccounts({ records, passwords, clock, chance, onAdd });
  const apiTokens = createApiTokens({ records, findAccount: (id) => accounts.find(id), clock, chance });
  const seals = await openSeals({ records: options.records, chance });
  const clients = createClients({ records, publicUrl, clock, chance });
  const countReuse = createReuseCounter({ accounts, audit, log });
  const store = createOidcStore({
    ...{ records, accounts, clients, clock },
    onCodeReuse: (accountId) => {
      countReuse('authorization code', { accountId });
    },
  });
  if (options.isRestored) await store.clear();
  const roles = options.secondFactorRoles;
  const secondFactor = createSecondFactor({ accounts, seals, audit, clock, chance, roles });
  const passkeys = createPasskeys({ records, accounts, publicUrl, seals, clock, chance });
  const sessions = createSessions({ records, store, clients, accounts, secondFactor, clock });
  const outbox = createOutbox(options);
  const recovery = createRecovery({
    ...{ accounts, sessions, store, outbox, leftWays: leftWaysOf({ passkeys, apiTokens }) },
    ...{ audit, publicUrl, clock, chance, log },
  });
  const oidc = createOidc({
    ...{ store, accounts, seals, issuer: publicUrl, keys: options.keys, log },
    onReuse: (reuse) => {
      countReuse('refresh token', reuse);
    },
  });
  const signIn = createSignIn({ accounts, passwords, seals, audit, clock });

  /** What the session of a token lets it do now. */
  const live = async (claims: AccessClaims): Promise<AccessClaims> => {
    if (claims.sid === undefined) return claims;
    if (claims.sid.startsWith('ses_')) return sessions.live(claims);
    const { role, sites } = await apiTokens.live(claims.sid);
    if (role === 'service' || !coversRole(role, claims.role))
      throw coded('CREDENTIAL_INVALID', 'whoever made the token may no longer do this');
    return { ...claims, ...(sites !== undefined && { sites }) };
  };

  return {
    ...{ accounts, passwords, apiTokens, sessions, clients, oidc },
    ...{ signIn, seals, secondFactor, passkeys, recovery, audit },
    firstAdmin: await openFirstAdmin({ accounts, audit, chance }),
    async changeAccount(id, patch) {
      const after = await accounts.change(id, patch);
      if (patch.password !== undefined) await sessions.endAll(id);
      return after;
    },
    personal: personalAccounts({
      ...{ records: options.records, accounts, apiTokens, passkeys, sessions, store, outbox },
    }),
    async watch(signal) {
      while (!signal.aborted) {
        // More than one round where much has ended.
        while ((await store.prune()) > 0);
        await clock.sleep(pruneEveryMs, { signal }).catch(() => undefined);
      }
    },
    stop: () => outbox.stop(),
    verifier: (verifySigned) => async (token) =>
      isApiToken(token) ? apiTokens.verify(token) : live(await verifySigned(token)),
  };
}
