import type { ApiTokenReply, ApiTokenRequest, ApiTokenView } from '../../../common/contract/accounts.ts';
import type { AccessClaims } from '../../../common/contract/credentials.ts';
import { allScopes, coversScope } from '../../../common/core/scopes.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { AccessCaller } from '../../../common/runtime/http-credential.ts';
import { hashSecret, secretsEqual } from '../../../common/runtime/keys.ts';
import type { AccountRecord, ApiTokenRecord, AuthRecords } from './records.ts';
import { coversRole } from './core/roles.ts';

/** Tokens with which machines call. A token may do what its role and scopes say, while its maker's account may. */
export interface ApiTokens {
  /** FORBIDDEN for a role or scope above the caller's own, INVALID for a scope that is none, CONFLICT when there are too many. */
  add(caller: AccessCaller, request: ApiTokenRequest): Promise<ApiTokenReply>;
  /** The caller's own; with `all`, everybody's. */
  list(owner: string | undefined): Promise<ApiTokenView[]>;
  /** API_TOKEN_UNKNOWN, also for another's unless `owner` is left out. */
  remove(id: string, owner: string | undefined): Promise<void>;
  /** Removes those of an account that is no more. */
  removeOf(owner: string): Promise<void>;
  /** CREDENTIAL_INVALID, CREDENTIAL_EXPIRED. */
  verify(token: string): Promise<AccessClaims>;
  /** The claims of one by its id, for what was made with it. CREDENTIAL_INVALID, CREDENTIAL_EXPIRED. */
  live(id: string): Promise<AccessClaims>;
}

export interface ApiTokensOptions {
  records: AuthRecords;
  /** The account that a token's owner names; undefined for one that is no more. */
  findAccount: (id: string) => Promise<AccountRecord | undefined>;
  clock: Clock;
  chance: Chance;
}

const tokensOfOneMax = 100;
const tokensListedMax = 10_000;

/** Opens the API tokens. */
export function createApiTokens(options: ApiTokensOptions): ApiTokens {
  const { records, clock, chance } = options;

  const idsOf = async (owner: string): Promise<string[]> => {
    const keys = (await records.apiTokensOf.scan({ prefix: `${owner}/` })).map(({ key }) => key);
    return keys.map((key) => key.slice(owner.length + 1));
  };
  const drop = async ({ id, owner }: ApiTokenView): Promise<void> => {
    await records.all.commit([
      records.apiTokens.removeOperation(id),
      records.apiTokensOf.removeOperation(`${owner}/${id}`),
    ]);
  };
  return {
    live: async (id) => claimsOf(await found(options, id), options),
    async add(caller, { name, role, scopes, ttlS }) {
      const wanted = role ?? roleOf(caller);
      checkOrder(caller, { role: wanted, scopes });
      if ((await idsOf(caller.sub)).length >= tokensOfOneMax)
        throw coded('CONFLICT', `you have ${String(tokensOfOneMax)} tokens; revoke one first`);
      const hex = chance.bytes(8).toString('hex');
      const secret = chance.bytes(24).toString('base64url');
      const createdAtMs = clock.nowMs();
      const view: ApiTokenView = {
        ...{ id: `tok_${hex}`, name, owner: caller.sub, role: wanted, scopes, createdAtMs },
        expiresAtMs: createdAtMs + ttlS * 1000,
      };
      const record = { ...view, sites: [...(caller.sites ?? [])], secretHash: hashSecret(secret) };
      await records.all.commit([
        records.apiTokens.putOperation(view.id, record, 0),
        records.apiTokensOf.putOperation(`${caller.sub}/${view.id}`, {}),
      ]);
      return { ...view, token: `ncat_${hex}_${secret}` };
    },
    async list(owner) {
      const views: ApiTokenView[] = [];
      if (owner === undefined) {
        for await (const { value } of records.apiTokens.all()) {
          views.push(viewOf(value));
          if (views.length >= tokensListedMax) break;
        }
        return views;
      }
      for (const id of await idsOf(owner)) {
        const held = await records.apiTokens.get(id);
        if (held !== undefined) views.push(viewOf(held.value));
      }
      return views;
    },
    async remove(id, owner) {
      const held = (await records.apiTokens.get(id))?.value;
      if (held === undefined || (owner !== undefined && held.owner !== owner))
        throw coded('API_TOKEN_UNKNOWN', id);
      await drop(held);
    },
    async removeOf(owner) {
      for (const id of await idsOf(owner)) {
        const held = (await records.apiTokens.get(id))?.value;
        if (held !== undefined) await drop(held);
      }
    },
    async verify(token) {
      const [, hex = '', secret = ''] = /^ncat_([0-9a-f]{16})_(.*)$/.exec(token) ?? [];
      const record = await found(options, `tok_${hex}`);
      if (!secretsEqual(record.secretHash, hashSecret(secret))) throw unknownToken();
      return claimsOf(record, options);
    },
  };
}

function unknownToken(): Error {
  return coded('CREDENTIAL_INVALID', 'the API token is not known, or was revoked');
}

async function found({ records }: ApiTokensOptions, id: string): Promise<ApiTokenRecord> {
  const record = (await records.apiTokens.get(id))?.value;
  if (record === undefined) throw unknownToken();
  return record;
}

async function claimsOf(record: ApiTokenRecord, options: ApiTokensOptions): Promise<AccessClaims> {
  const { id, owner, role, scopes, createdAtMs, expiresAtMs } = record;
  if (options.clock.nowMs() >= expiresAtMs)
    throw coded('CREDENTIAL_EXPIRED', `the API token ${record.name} has expired; make a new one`);
  // One made with the token in the data directory belongs to no account.
  const account = isAccount(owner) ? await options.findAccount(owner) : undefined;
  if (isAccount(owner) && (account === undefined || account.disabled || !coversRole(account.role, role)))
    throw coded('CREDENTIAL_INVALID', 'whoever made the API token may no longer do this');
  const sites = account?.sites ?? record.sites;
  return {
    ...{ iss: 'nearcast', aud: 'nearcast', sub: owner, role, jti: id, sid: id, scope: scopes.join(' ') },
    iat: Math.floor(createdAtMs / 1000),
    exp: Math.floor(expiresAtMs / 1000),
    ...(role === 'partner' && { sites: [...sites] }),
  };
}

function isAccount(owner: string): boolean {
  return owner.startsWith('usr_');
}

function viewOf({ secretHash: _hash, sites: _sites, ...view }: ApiTokenRecord): ApiTokenView {
  return view;
}

function roleOf({ role }: AccessCaller): ApiTokenView['role'] {
  if (role === 'service') throw coded('FORBIDDEN', 'a service makes no tokens');
  return role;
}

function checkOrder(caller: AccessCaller, { role, scopes }: Pick<ApiTokenView, 'role' | 'scopes'>): void {
  if (!coversRole(roleOf(caller), role))
    throw coded('FORBIDDEN', `you are ${caller.role} and cannot make a token of ${role}`);
  const unknown = scopes.find((scope) => !allScopes.includes(scope));
  if (unknown !== undefined)
    throw coded('INVALID', `scopes: there is none called ${unknown}; there are: ${allScopes.join(', ')}`);
  const above = scopes.find((scope) => caller.scopes !== undefined && !coversScope(caller.scopes, scope));
  if (above !== undefined) throw coded('FORBIDDEN', `your own token has no scope ${above}`);
}
