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
  type ViewingReport,
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
  /** Hears what was kept of a batch. */
  readonly onReported: (told: ToldViewing) => void;
}

/** What a device told of a profile, from where it may be. */
interface ToldViewing {
  readonly profileId: string;
  readonly region: string | undefined;
  readonly reports: readonly ViewingReport[];
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
  reportRoute(app, { ...options, opened, viewerBy });
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

interface ReportRouteOptions extends UsersRoutesOptions {
  /** Passes whoever may watch with the profile. */
  opened: (request: FastifyRequest<{ Params: { id: string } }>) => Promise<string>;
  viewerBy: (request: FastifyRequest<{ Params: { id: string } }>) => Promise<Viewer | undefined>;
}

function reportRoute(app: App, { users, onReported, opened, viewerBy }: ReportRouteOptions): void {
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
    async (request) => {
      const profileId = await opened(request);
      const viewer = await viewerBy(request);
      const answer = await users.watched.report(profileId, request.body, viewer);
      const refused = new Set(answer.refused.map(({ index }) => index));
      const reports = request.body.reports.filter((_, index) => !refused.has(index));
      onReported({ profileId, region: viewer?.region, reports });
      return answer;
    },
  );
}
