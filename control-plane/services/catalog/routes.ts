import { Type } from '../../../common/contract/type.ts';
import { ObjectId } from '../../../common/contract/primitives.ts';
import { TitleList, TitlePatch, TitleRequest, TitleView } from '../../../common/contract/titles.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Caller } from '../../../common/runtime/http-credential.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { jobRoutes } from './job-routes.ts';
import type { Catalog } from './service.ts';
import { viewerView } from './title-view.ts';
import { uploadRoutes } from './upload-routes.ts';

export interface CatalogRoutesOptions {
  readonly catalog: Catalog;
  /** Aborted when the server drains: long polls end. */
  readonly draining: AbortSignal;
}

const operators = ['operator', 'admin'] as const;
const viewers = ['operator', 'admin', 'viewer'] as const;
const params = Type.Object({ id: ObjectId });

/** Routes of titles, uploads and encode jobs. */
export function catalogRoutes(app: App, options: CatalogRoutesOptions): void {
  const { catalog } = options;
  uploadRoutes(app, options);
  jobRoutes(app, options);
  app.post(
    '/v1/titles',
    {
      config: { credential: operators },
      schema: {
        tags: ['titles'],
        summary: 'Make a title of an upload or a path',
        body: TitleRequest,
        response: { 201: TitleView },
      },
    },
    async (request, reply) => {
      const title = await catalog.createTitle(request.body);
      return await reply.code(201).header('location', `/v1/titles/${title.id}`).send(title);
    },
  );
  app.get(
    '/v1/titles',
    {
      config: { credential: viewers },
      schema: {
        tags: ['titles'],
        summary: 'All titles, oldest first; for viewers those that are live',
        response: { 200: TitleList },
      },
    },
    ({ caller }) => ({
      titles: isViewer(caller)
        ? catalog
            .titles()
            .filter(({ state }) => state === 'live')
            .map(viewerView)
        : catalog.titles(),
    }),
  );
  app.get(
    '/v1/titles/:id',
    {
      config: { credential: viewers },
      schema: { tags: ['titles'], summary: 'One title', params, response: { 200: TitleView } },
    },
    ({ caller, params: { id } }) => {
      const title = catalog.title(id);
      if (!isViewer(caller)) return title;
      if (title.state !== 'live') throw coded('TITLE_UNKNOWN', id);
      return viewerView(title);
    },
  );
  app.patch(
    '/v1/titles/:id',
    {
      config: { credential: operators },
      schema: {
        tags: ['titles'],
        summary: 'Rename or pin a title',
        params,
        body: TitlePatch,
        response: { 200: TitleView },
      },
    },
    (request) => catalog.patchTitle(request.params.id, request.body),
  );
}

function isViewer(caller: Caller): boolean {
  return caller.kind === 'access' && caller.role === 'viewer';
}
