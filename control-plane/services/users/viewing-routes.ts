import type { FastifyRequest } from 'fastify';
import { ObjectId } from '../../../common/contract/primitives.ts';
import type { Viewer } from '../../../common/contract/release.ts';
import { Type } from '../../../common/contract/type.ts';
import {
  ContinueWatching,
  HistoryQuery,
  MyList,
  Ratings,
  ViewingBatch,
  ViewingBatchReply,
  ViewingHistory,
} from '../../../common/contract/viewing.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { ProfileCaller } from './profile-access.ts';
import { viewerOf, type ViewerRights } from '../viewer-rights.ts';
import type { Users } from './service.ts';

const params = Type.Object({ id: ObjectId });
const tags = ['viewing'];
// What somebody watches is nobody else's business: not an operator's either.
const config = { credential: ['viewer'] } as const;

export interface UsersRoutesOptions {
  readonly users: Users;
  readonly rights: ViewerRights;
}

interface ViewingRoutesOptions extends UsersRoutesOptions {
  callerOf: (request: FastifyRequest) => ProfileCaller;
}

/** Routes of what profiles watch. */
export function viewingRoutes(app: App, options: ViewingRoutesOptions): void {
  const { users, rights, callerOf } = options;
  const opened = async (request: FastifyRequest<{ Params: { id: string } }>): Promise<string> => {
    const { id } = request.params;
    await users.open(id, callerOf(request));
    return id;
  };
  const viewerBy = (request: FastifyRequest<{ Params: { id: string } }>): Promise<Viewer | undefined> =>
    viewerOf(rights, request, request.params.id);
  app.post(
    '/v1/profiles/:id/viewing',
    {
      config: { ...config, audit: false },
      schema: {
        summary: 'Takes what a device reports, in any order and as often as it likes',
        tags,
        params,
        body: ViewingBatch,
        response: { 200: ViewingBatchReply },
      },
    },
    async (request) => users.watched.report(await opened(request), request.body, await viewerBy(request)),
  );
  app.get(
    '/v1/profiles/:id/continue-watching',
    {
      config,
      schema: { summary: 'What was begun, latest first', tags, params, response: { 200: ContinueWatching } },
    },
    async (request) => users.watched.continueWatching(await opened(request), await viewerBy(request)),
  );
  app.get(
    '/v1/profiles/:id/history',
    {
      config,
      schema: {
        summary: 'What was watched, latest first',
        tags,
        params,
        querystring: HistoryQuery,
        response: { 200: ViewingHistory },
      },
    },
    async (request) => users.watched.history(await opened(request), request.query, await viewerBy(request)),
  );
  app.get(
    '/v1/profiles/:id/my-list',
    { config, schema: { summary: 'The list of a profile', tags, params, response: { 200: MyList } } },
    async (request) => users.watched.myList(await opened(request), await viewerBy(request)),
  );
  app.get(
    '/v1/profiles/:id/ratings',
    { config, schema: { summary: 'What was rated, and how', tags, params, response: { 200: Ratings } } },
    async (request) => users.watched.ratings(await opened(request), await viewerBy(request)),
  );
}
