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
  /** Whether a viewer may have a title. */
  readonly mayHave: (titleId: string, viewer: Viewer) => boolean;
}

interface ViewingRoutesOptions extends UsersRoutesOptions {
  callerOf: (request: FastifyRequest) => ProfileCaller;
}

/** Routes of what profiles watch. */
export function viewingRoutes(app: App, options: ViewingRoutesOptions): void {
  const { users, callerOf } = options;
  const opened = async (request: FastifyRequest<{ Params: { id: string } }>): Promise<string> => {
    const { id } = request.params;
    await users.open(id, callerOf(request));
    return id;
  };
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
    async (request) =>
      users.watched.report(await opened(request), request.body, await judgeOf(options, request)),
  );
  app.get(
    '/v1/profiles/:id/continue-watching',
    {
      config,
      schema: { summary: 'What was begun, latest first', tags, params, response: { 200: ContinueWatching } },
    },
    async (request) => {
      const { titles } = await users.watched.continueWatching(await opened(request));
      return { titles: await had(options, request, titles) };
    },
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
    async (request) => {
      const { viewings, ...more } = await users.watched.history(await opened(request), request.query);
      return { viewings: await had(options, request, viewings), ...more };
    },
  );
  app.get(
    '/v1/profiles/:id/my-list',
    { config, schema: { summary: 'The list of a profile', tags, params, response: { 200: MyList } } },
    async (request) => {
      const { titles } = await users.watched.myList(await opened(request));
      return { titles: await had(options, request, titles) };
    },
  );
  app.get(
    '/v1/profiles/:id/ratings',
    { config, schema: { summary: 'What was rated, and how', tags, params, response: { 200: Ratings } } },
    async (request) => {
      const { ratings } = await users.watched.ratings(await opened(request));
      return { ratings: await had(options, request, ratings) };
    },
  );
}

/** Those whose titles may be had now, by the profile and from where it asks. */
async function had<T extends { titleId: string }>(
  options: ViewingRoutesOptions,
  request: FastifyRequest<{ Params: { id: string } }>,
  shelf: readonly T[],
): Promise<T[]> {
  const mayHave = await judgeOf(options, request);
  return shelf.filter(({ titleId }) => mayHave(titleId));
}

/** What says whether a title may be had now, by the profile and from where it asks. */
async function judgeOf(
  { rights, mayHave }: ViewingRoutesOptions,
  request: FastifyRequest<{ Params: { id: string } }>,
): Promise<(titleId: string) => boolean> {
  const viewer = await viewerOf(rights, request, request.params.id);
  return (titleId) => viewer === undefined || mayHave(titleId, viewer);
}
