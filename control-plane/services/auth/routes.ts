import {
  AccountList,
  AccountPatch,
  AccountQuery,
  AccountRequest,
  AccountView,
  ApiTokenList,
  ApiTokenReply,
  ApiTokenRequest,
  FirstAdminRequest,
  Me,
} from '../../../common/contract/accounts.ts';
import { ObjectId } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { assert, coded } from '../../../common/runtime/errors.ts';
import type { AccessCaller, Caller } from '../../../common/runtime/http-credential.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { accountRoutes } from './account-routes.ts';
import { formScope } from './forms.ts';
import { oidcRoutes } from './oidc-routes.ts';
import { recoveryRoutes } from './recovery-routes.ts';
import type { Auth } from './service.ts';
import { clientRoutes, sessionRoutes } from './session-routes.ts';
import { signInRoutes } from './sign-in-routes.ts';

const params = Type.Object({ id: ObjectId });
const tags = ['accounts'];
// Guessing a code of 100 bits is hopeless; each try costs a look, and a weak password a hash.
const firstAdminRate = { max: 20, timeWindow: 10_000 };

export interface AuthRoutesOptions {
  auth: Auth;
  clock: Clock;
  chance: Chance;
}

/** Routes of accounts, sessions and tokens, and the pages on which people sign in. */
export function authRoutes(app: App, { auth, clock, chance }: AuthRoutesOptions): void {
  meRoute(app, auth);
  firstAdminRoute(app, auth);
  accountReadRoutes(app, auth);
  accountChangeRoutes(app, auth);
  secondFactorRoute(app, auth);
  passkeyRoute(app, auth);
  apiTokenRoutes(app, auth);
  sessionRoutes(app, auth);
  clientRoutes(app, auth);
  formScope(app, (scope) => {
    oidcRoutes(scope, { oidc: auth.oidc, clock });
    signInRoutes(scope, { ...auth, clock });
    accountRoutes(scope, { ...auth, chance });
    recoveryRoutes(scope, auth);
  });
}

function accessCaller(caller: Caller): AccessCaller {
  assert(caller.kind === 'access', 'the route takes access tokens only');
  return caller;
}

function meRoute(app: App, auth: Auth): void {
  app.get(
    '/v1/me',
    {
      config: { credential: ['admin', 'operator', 'partner', 'viewer', 'service'], anyScope: true },
      schema: { summary: 'Who you are, and what you may do', tags, response: { 200: Me } },
    },
    async ({ caller }) => {
      const { sub, role, scopes } = accessCaller(caller);
      const account = await auth.accounts.view(sub);
      return {
        ...{ sub, role },
        ...(scopes !== undefined && { scopes: [...scopes] }),
        ...(account !== undefined && { account }),
      };
    },
  );
}

function firstAdminRoute(app: App, auth: Auth): void {
  app.post(
    '/v1/accounts/first',
    {
      config: { credential: ['none'], rateLimit: firstAdminRate },
      schema: {
        summary:
          'Makes the first admin, with the code that the control plane prints while there is no account',
        tags,
        body: FirstAdminRequest,
        response: { 201: AccountView },
      },
    },
    async (request, reply) => reply.code(201).send(await auth.firstAdmin.add(request.body, request.ip)),
  );
}

function accountReadRoutes(app: App, { accounts }: Auth): void {
  app.get(
    '/v1/accounts',
    {
      config: { credential: ['admin'] },
      schema: { summary: 'Accounts, by id', tags, querystring: AccountQuery, response: { 200: AccountList } },
    },
    async ({ query: { after, limit } }) => {
      const page = await accounts.list({ after, limit });
      const last = page.at(-1);
      return { accounts: page, ...(page.length === limit && last !== undefined && { next: last.id }) };
    },
  );
  app.get(
    '/v1/accounts/:id',
    {
      config: { credential: ['admin'] },
      schema: { summary: 'One account', tags, params, response: { 200: AccountView } },
    },
    async (request) => {
      const account = await accounts.view(request.params.id);
      if (account === undefined) throw coded('ACCOUNT_UNKNOWN', request.params.id);
      return account;
    },
  );
}

function accountChangeRoutes(app: App, auth: Auth): void {
  app.post(
    '/v1/accounts',
    {
      config: { credential: ['admin'], audit: { values: ['role', 'sites'] } },
      schema: {
        summary: 'Adds a person who may sign in',
        tags,
        body: AccountRequest,
        response: { 201: AccountView },
      },
    },
    async (request, reply) => reply.code(201).send(await auth.accounts.add(request.body)),
  );
  app.patch(
    '/v1/accounts/:id',
    {
      config: { credential: ['admin'], audit: { values: ['role', 'sites', 'disabled'] } },
      schema: {
        summary:
          'Changes an account; what it may no longer do ends at once, and with a new password its sessions',
        tags,
        params,
        body: AccountPatch,
        response: { 200: AccountView },
      },
    },
    async (request) => auth.changeAccount(request.params.id, request.body),
  );
}

function secondFactorRoute(app: App, { secondFactor }: Auth): void {
  app.delete(
    '/v1/accounts/:id/totp',
    {
      config: { credential: ['admin'] },
      schema: {
        summary: 'Asks a person for no codes any more, whose authenticator and recovery codes are lost',
        tags,
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await secondFactor.remove(request.params.id);
      return reply.code(204).send(null);
    },
  );
}

function passkeyRoute(app: App, { passkeys }: Auth): void {
  app.delete(
    '/v1/accounts/:id/passkeys',
    {
      config: { credential: ['admin'] },
      schema: {
        summary: 'Removes all passkeys of a person',
        tags,
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await passkeys.removeAll(request.params.id);
      return reply.code(204).send(null);
    },
  );
}

function apiTokenRoutes(app: App, { apiTokens }: Auth): void {
  const credential = ['admin', 'operator', 'partner'] as const;
  app.get(
    '/v1/api-tokens',
    {
      config: { credential },
      schema: {
        summary: 'Your API tokens, or to an admin with `all` everybody’s; never the tokens themselves',
        tags,
        querystring: Type.Object({ all: Type.Optional(Type.Boolean()) }, { additionalProperties: false }),
        response: { 200: ApiTokenList },
      },
    },
    async ({ caller, query }) => {
      const { role, sub } = accessCaller(caller);
      if (query.all === true && role !== 'admin')
        throw coded('FORBIDDEN', 'only an admin sees the tokens of others');
      return { tokens: await apiTokens.list(query.all === true ? undefined : sub) };
    },
  );
  app.post(
    '/v1/api-tokens',
    {
      config: { credential, audit: { values: ['name', 'role', 'scopes', 'ttlS'] } },
      schema: {
        summary: 'Makes a token for a machine; it is shown this once',
        tags,
        body: ApiTokenRequest,
        response: { 201: ApiTokenReply },
      },
    },
    async ({ caller, body }, reply) => reply.code(201).send(await apiTokens.add(accessCaller(caller), body)),
  );
  app.delete(
    '/v1/api-tokens/:id',
    {
      config: { credential },
      schema: {
        summary: 'Revokes an API token at once: your own, or as an admin anyone’s',
        tags,
        params,
        response: { 204: Type.Null() },
      },
    },
    async ({ caller, params: { id } }, reply) => {
      const { role, sub } = accessCaller(caller);
      await apiTokens.remove(id, role === 'admin' ? undefined : sub);
      return reply.code(204).send(null);
    },
  );
}
