import type { FastifyRequest } from 'fastify';
import { ObjectId } from '../../../common/contract/primitives.ts';
import {
  Avatar,
  ProfileList,
  ProfilePatch,
  ProfileQuery,
  ProfileRequest,
  ProfileView,
  UnlockReply,
  UnlockRequest,
} from '../../../common/contract/profiles.ts';
import { Type } from '../../../common/contract/type.ts';
import { assert, coded } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { avatarSvg } from './core/avatars.ts';
import type { ProfileCaller } from './profile-access.ts';
import type { Users } from './service.ts';
import { viewingRoutes, type UsersRoutesOptions } from './viewing-routes.ts';

const params = Type.Object({ id: ObjectId });
const tags = ['profiles'];
const credential = ['viewer', 'operator'] as const;
const unlockRate = { max: 20, timeWindow: 10_000 };

/** Routes of profiles, of their avatars and of what they watch. */
export function usersRoutes(app: App, options: UsersRoutesOptions): void {
  const { users } = options;
  profileReadRoutes(app, users);
  profileChangeRoutes(app, users);
  unlockRoute(app, users);
  avatarRoute(app);
  viewingRoutes(app, { ...options, callerOf: profileCaller });
}

/** Who calls, as profiles see it: a viewer has those of its account, an operator all. */
function profileCaller({ caller, headers }: FastifyRequest): ProfileCaller {
  assert(caller.kind === 'access', 'the route takes access tokens only');
  const { 'profile-unlock': unlock } = headers;
  const accountId = caller.role === 'viewer' ? caller.sub : undefined;
  return { accountId, unlock: typeof unlock === 'string' ? unlock : undefined };
}

/** The account that is meant: a viewer's own, whatever an operator names, else the caller's. */
function accountOf(request: FastifyRequest, named: string | undefined): string {
  const { caller } = request;
  assert(caller.kind === 'access', 'the route takes access tokens only');
  if (caller.role === 'viewer' && named !== undefined && named !== caller.sub)
    throw coded('FORBIDDEN', 'profiles are those of your own account: leave out account');
  return named ?? caller.sub;
}

function profileReadRoutes(app: App, users: Users): void {
  app.get(
    '/v1/profiles',
    {
      config: { credential },
      schema: {
        summary: 'The profiles of your account, or to an operator of any',
        tags,
        querystring: ProfileQuery,
        response: { 200: ProfileList },
      },
    },
    async (request) => ({ profiles: await users.profiles(accountOf(request, request.query.account)) }),
  );
  app.get(
    '/v1/profiles/:id',
    {
      config: { credential },
      schema: { summary: 'One profile', tags, params, response: { 200: ProfileView } },
    },
    async (request) => users.profile(request.params.id, profileCaller(request)),
  );
}

function profileChangeRoutes(app: App, users: Users): void {
  app.post(
    '/v1/profiles',
    {
      config: { credential },
      schema: {
        summary: 'Adds someone who watches with an account',
        tags,
        body: ProfileRequest,
        response: { 201: ProfileView },
      },
    },
    async (request, reply) => {
      const { account, ...wanted } = request.body;
      const accountId = accountOf(request, account);
      return reply.code(201).send(await users.add(accountId, wanted, profileCaller(request)));
    },
  );
  app.patch(
    '/v1/profiles/:id',
    {
      config: { credential },
      schema: {
        summary: 'Changes a profile',
        tags,
        params,
        body: ProfilePatch,
        response: { 200: ProfileView },
      },
    },
    async (request) => users.change(request.params.id, request.body, profileCaller(request)),
  );
  app.delete(
    '/v1/profiles/:id',
    {
      config: { credential },
      schema: {
        summary: 'Removes a profile with all that it has watched',
        tags,
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await users.remove(request.params.id, profileCaller(request));
      return reply.code(204).send(null);
    },
  );
}

function unlockRoute(app: App, users: Users): void {
  app.post(
    '/v1/profiles/:id/unlock',
    {
      config: { credential, rateLimit: unlockRate },
      schema: {
        summary: 'Shows the PIN of a profile; the answer goes with later calls as the header profile-unlock',
        tags,
        params,
        body: UnlockRequest,
        response: { 200: UnlockReply },
      },
    },
    async (request) => users.unlock(request.params.id, request.body.pin, profileCaller(request)),
  );
}

function avatarRoute(app: App): void {
  app.get(
    '/avatars/:name.svg',
    {
      config: { credential: ['none'] },
      schema: {
        summary: 'The picture of an avatar',
        tags,
        params: Type.Object({ name: Avatar }),
        produces: ['image/svg+xml'],
      },
    },
    async (request, reply) =>
      reply
        .type('image/svg+xml')
        .header('cache-control', 'public, max-age=86400')
        .send(avatarSvg(request.params.name)),
  );
}
