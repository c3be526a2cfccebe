import type { FastifyRequest } from 'fastify';
import { ObjectId } from '../../../common/contract/primitives.ts';
import { RecommendationModels } from '../../../common/contract/recommendation-models.ts';
import { RowsExplainQuery, RowsExplainReply, RowsQuery, RowsReply } from '../../../common/contract/rows.ts';
import { Type } from '../../../common/contract/type.ts';
import { acceptedLanguages } from '../../../common/core/language.ts';
import { assert, coded } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { viewerOf, type ViewerRights } from '../viewer-rights.ts';
import type { ExplainAsk, Recommendations } from './service.ts';

export interface RecommendationsRoutesOptions {
  readonly recommendations: Recommendations;
  readonly rights: ViewerRights;
}

const operators = ['operator', 'admin'] as const;
const tags = ['recommendations'];
/** What an operator asks for somebody: everything that is everywhere. */
const anybody = { maturityMax: 18 };

/** Routes of rows and of the models behind them. */
export function recommendationsRoutes(app: App, options: RecommendationsRoutesOptions): void {
  rowRoutes(app, options);
  modelRoutes(app, options.recommendations);
}

function rowRoutes(app: App, { recommendations, rights }: RecommendationsRoutesOptions): void {
  app.get(
    '/v1/rows',
    {
      // What somebody is shown tells what it has watched: nobody else's business, not an operator's either.
      config: { credential: ['viewer'] },
      schema: {
        tags,
        summary: 'What a profile is shown first: rows of titles, each with a reason',
        querystring: RowsQuery,
        response: { 200: RowsReply },
      },
    },
    async (request) => {
      const { profileId, seed } = request.query;
      const viewer = await viewerOf(rights, request, profileId);
      assert(viewer !== undefined, 'the route is for viewers only');
      return recommendations.rows({
        ...{ viewer, seed, languages: languagesOf(request) },
        who: profileId === undefined ? { accountId: accountOf(request) } : { profileId },
      });
    },
  );
  app.get(
    '/v1/rows/explain',
    {
      config: { credential: [...operators, 'viewer'] },
      schema: {
        tags,
        summary:
          'Why a title stands where it stands for a profile of one’s own, or for who has watched some titles',
        querystring: RowsExplainQuery,
        response: { 200: RowsExplainReply },
      },
    },
    async (request) => {
      const { titleId, profileId, seed } = request.query;
      const viewer = await viewerOf(rights, request, profileId);
      return recommendations.explain({
        ...{ titleId, seed, languages: languagesOf(request), who: whoOf(request, request.query) },
        ...{ viewer: viewer ?? anybody, by: viewer === undefined ? 'operator' : 'viewer' },
      });
    },
  );
}

function modelRoutes(app: App, recommendations: Recommendations): void {
  const path = '/v1/recommendation-models';
  const config = { credential: operators };
  app.get(
    path,
    {
      config,
      schema: {
        tags,
        summary: 'The models that were trained, the latest first, and what is being trained',
        response: { 200: RecommendationModels },
      },
    },
    async () => recommendations.models(),
  );
  app.post(
    path,
    {
      config,
      schema: {
        tags,
        summary: 'Train a model now; it is put in force if it does better than the one that is',
        response: { 202: RecommendationModels },
      },
    },
    async (_request, reply) => reply.code(202).send(await recommendations.train()),
  );
  app.post(
    `${path}/:id/promote`,
    {
      config,
      schema: {
        tags,
        summary: 'Put a model in force, whatever it was judged',
        params: Type.Object({ id: ObjectId }),
        response: { 200: RecommendationModels },
      },
    },
    async (request) => recommendations.promote(request.params.id),
  );
}

/** Errors: FORBIDDEN for an operator who names a profile. */
function whoOf(
  request: FastifyRequest,
  { profileId, watched }: Pick<RowsExplainQuery, 'profileId' | 'watched'>,
): ExplainAsk['who'] {
  const { caller } = request;
  if (watched !== undefined) return { watched: watched.split(',').filter((id) => id !== '') };
  if (profileId === undefined) return { accountId: accountOf(request) };
  if (caller.kind !== 'access' || caller.role !== 'viewer')
    throw coded('FORBIDDEN', 'what a profile watches is its own business: say which titles were watched');
  return { profileId };
}

function accountOf({ caller }: FastifyRequest): string {
  return caller.kind === 'access' ? caller.sub : '';
}

function languagesOf({ headers }: FastifyRequest): string[] {
  return acceptedLanguages(headers['accept-language']);
}
