import {
  OauthClientList,
  OauthClientRequest,
  OauthClientView,
  SessionList,
  SessionView,
} from '../../../common/contract/accounts.ts';
import { ObjectId } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import { assert, coded } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Clients } from './oidc/clients.ts';
import type { Sessions } from './sessions.ts';

const tags = ['accounts'];

/** Routes of sessions: where someone is signed in. */
export function sessionRoutes(app: App, { sessions }: { sessions: Sessions }): void {
  const credential = ['admin', 'operator', 'partner', 'viewer'] as const;
  app.get(
    '/v1/sessions',
    {
      config: { credential },
      schema: {
        summary: 'Where you are signed in; to an admin, where somebody else is',
        tags,
        querystring: Type.Object({ account: Type.Optional(ObjectId) }, { additionalProperties: false }),
        response: { 200: SessionList },
      },
    },
    async ({ caller, query: { account } }) => {
      assert(caller.kind === 'access', 'the route takes access tokens only');
      if (account !== undefined && account !== caller.sub && caller.role !== 'admin')
        throw coded('FORBIDDEN', 'only an admin sees the sessions of others');
      return { sessions: await sessions.list(account ?? caller.sub) };
    },
  );
  app.delete(
    '/v1/sessions/:id',
    {
      config: { credential },
      schema: {
        summary: 'Ends a session at once: your own, or as an admin anyone’s',
        tags,
        params: Type.Pick(SessionView, ['id']),
        response: { 204: Type.Null() },
      },
    },
    async ({ caller, params: { id } }, reply) => {
      assert(caller.kind === 'access', 'the route takes access tokens only');
      await sessions.end(id, caller.role === 'admin' ? undefined : caller.sub);
      return reply.code(204).send(null);
    },
  );
}

/** Routes of the programs that may sign people in. */
export function clientRoutes(app: App, { clients }: { clients: Clients }): void {
  const config = { credential: ['admin'] } as const;
  app.get(
    '/v1/oauth-clients',
    {
      config,
      schema: { summary: 'Programs that may sign people in', tags, response: { 200: OauthClientList } },
    },
    async () => ({ clients: await clients.list() }),
  );
  app.post(
    '/v1/oauth-clients',
    {
      config: { ...config, audit: { values: ['name', 'redirectUris', 'device'] } },
      schema: {
        summary: 'Adds a program that may sign people in',
        tags,
        body: OauthClientRequest,
        response: { 201: OauthClientView },
      },
    },
    async (request, reply) => reply.code(201).send(await clients.add(request.body)),
  );
  app.delete(
    '/v1/oauth-clients/:id',
    {
      config,
      schema: {
        summary: 'Removes a program; what it was granted ends as it is next renewed',
        tags,
        params: Type.Object({ id: ObjectId }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await clients.remove(request.params.id);
      return reply.code(204).send(null);
    },
  );
}
