import type { AdapterPayload } from 'oidc-provider';
import { consoleClientId } from '../../../common/contract/oauth-clients.ts';
import type { SessionView } from '../../../common/contract/accounts.ts';
import type { AccessClaims } from '../../../common/contract/credentials.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { hashSecret } from '../../../common/runtime/keys.ts';
import type { Accounts } from './accounts.ts';
import { coversRole } from './core/roles.ts';
import type { OidcStore } from './oidc/adapter.ts';
import { pagesClientId, type Clients } from './oidc/clients.ts';
import { epochOf, isOfPresentPassword } from './oidc/password-epoch.ts';
import type { SecondFactor } from './second-factor.ts';
import type { AuthRecords, OidcRecord } from './records.ts';

/** Where people are signed in: browsers, and the programs that they let in. */
export interface Sessions {
  list(accountId: string): Promise<SessionView[]>;
  /** Ends one at once, with everything that came of it. SESSION_UNKNOWN, also for another's unless `accountId` is left out. */
  end(id: string, accountId: string | undefined): Promise<void>;
  endAll(accountId: string): Promise<void>;
  /** Ends all of an account but one browser's, which goes on under the password that was chosen in it just now. */
  endOthers(id: string, accountId: string): Promise<void>;
  /** What a token of a session lets its bearer do now. CREDENTIAL_INVALID once the session has ended or the account may not, SECOND_FACTOR_MISSING. */
  live(claims: AccessClaims): Promise<AccessClaims>;
}

/** The name of a program's session: tokens say it, and lists show it. */
export function sessionOfGrant(grantId: string): string {
  return `ses_${hashSecret(grantId)}`;
}

interface SessionsOptions {
  records: AuthRecords;
  store: OidcStore;
  clients: Clients;
  accounts: Accounts;
  secondFactor: SecondFactor;
  clock: Clock;
}

/** Opens the sessions. */
export function createSessions(options: SessionsOptions): Sessions {
  const { records, store, clients, accounts, secondFactor, clock } = options;

  const keysOf = async (accountId: string): Promise<string[]> => {
    const prefix = `${accountId}/`;
    return (await records.oidcOfAccount.scan({ prefix })).map(({ key }) => key.slice(prefix.length));
  };
  const find = async (key: string): Promise<OidcRecord | undefined> => {
    const value = (await records.oidc.get(key))?.value;
    return value !== undefined && value.expiresAtMs > clock.nowMs() ? value : undefined;
  };
  const end = async (id: string, accountId: string | undefined): Promise<void> => {
    for (const kind of ['Grant', 'Session']) {
      const key = `${kind}/${id.slice('ses_'.length)}`;
      const held = await find(key);
      if (held === undefined || (accountId !== undefined && held.payload['accountId'] !== accountId))
        continue;
      await store.remove(key);
      // The console is signed in as its browser is, and no longer.
      const grantId = consoleGrantOf(held);
      if (grantId !== undefined) await store.remove(`Grant/${hashSecret(grantId)}`);
      return;
    }
    throw coded('SESSION_UNKNOWN', id);
  };
  return {
    end,
    async list(accountId) {
      const views: SessionView[] = [];
      const account = await accounts.find(accountId);
      for (const key of await keysOf(accountId)) {
        const held = await find(key);
        if (held === undefined || account === undefined || !isOfPresentPassword(held.payload, account))
          continue;
        const view = await viewOf(key, held, clients);
        if (view !== undefined) views.push(view);
      }
      return views.sort((a, b) => b.createdAtMs - a.createdAtMs);
    },
    async endAll(accountId) {
      for (const key of await keysOf(accountId)) await store.remove(key);
    },
    async endOthers(id, accountId) {
      const own = `Session/${id.slice('ses_'.length)}`;
      const held = await find(own);
      if (held?.payload['accountId'] === accountId) {
        const payload = { ...held.payload, passwordEpoch: epochOf(held.payload) + 1 };
        await records.oidc.put(own, { ...held, payload });
      }
      for (const key of await keysOf(accountId)) if (key !== own) await store.remove(key);
    },
    async live(claims) {
      const grant = await find(`Grant/${claims.sid?.slice('ses_'.length) ?? ''}`);
      const account = grant === undefined ? undefined : await accounts.find(claims.sub);
      const isTheirs =
        grant?.payload['accountId'] === claims.sub &&
        account !== undefined &&
        isOfPresentPassword(grant.payload, account);
      if (!isTheirs || account.disabled || !coversRole(account.role, claims.role))
        throw coded('CREDENTIAL_INVALID', 'the session has ended; sign in again');
      if (secondFactor.isMissing(account))
        throw coded('SECOND_FACTOR_MISSING', 'set them up on your account page, /account');
      return { ...claims, ...(account.role === 'partner' && { sites: account.sites }) };
    },
  };
}

type GrantPayload = AdapterPayload & {
  resources?: Readonly<Record<string, string>>;
  openid?: { scope?: string };
  browser?: string;
};

async function viewOf(
  key: string,
  { payload, expiresAtMs }: OidcRecord,
  clients: Clients,
): Promise<SessionView | undefined> {
  const { accountId = '', clientId, iat = 0, resources, openid, browser } = payload as GrantPayload;
  if (clientId === pagesClientId) return undefined;
  const client = clientId === undefined ? undefined : await clients.metadata(clientId);
  const scopes = [openid?.scope ?? '', ...Object.values(resources ?? {})].join(' ').split(' ');
  return {
    id: `ses_${key.slice(key.indexOf('/') + 1)}`,
    accountId,
    kind: clientId === undefined ? 'browser' : 'program',
    // Sessions that were begun before it was noted do not say it.
    name: clientId === undefined ? (browser ?? 'a browser') : (client?.client_name ?? clientId),
    scopes: scopes.filter((scope) => scope !== ''),
    createdAtMs: iat * 1000,
    expiresAtMs,
  };
}

/** The console's grant of a browser's session. */
function consoleGrantOf({ payload }: OidcRecord): string | undefined {
  const { authorizations } = payload as {
    authorizations?: Readonly<Record<string, { grantId?: string } | undefined>>;
  };
  return authorizations?.[consoleClientId]?.grantId;
}
