import type { IncomingHttpHeaders } from 'node:http';
import { Type } from '../../../common/contract/type.ts';
import { ObjectId } from '../../../common/contract/primitives.ts';
import {
  TitleList,
  TitleListQuery,
  TitlePatch,
  TitleQuery,
  TitleRequest,
  TitleView,
} from '../../../common/contract/titles.ts';
import { acceptedLanguages } from '../../../common/core/language.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { viewerOf } from '../viewer-rights.ts';
import { artworkRoutes, wishOf, type ArtworkRoutesOptions } from './artwork-routes.ts';
import { importRoutes } from './import-routes.ts';
import { jobRoutes } from './job-routes.ts';
import { metadataRoutes } from './metadata-routes.ts';
import type { Catalog } from './service.ts';
import { translated, viewerView } from './title-view.ts';
import { uploadRoutes } from './upload-routes.ts';

export interface CatalogRoutesOptions extends ArtworkRoutesOptions {
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
  metadataRoutes(app, catalog);
  importRoutes(app, catalog);
  artworkRoutes(app, options);
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
  viewRoutes(app, options);
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

/** Routes by which titles are seen. */
function viewRoutes(app: App, { catalog, rights, links }: CatalogRoutesOptions): void {
  app.get(
    '/v1/titles',
    {
      config: { credential: viewers },
      schema: {
        tags: ['titles'],
        summary: 'Titles, oldest first, a page at a time; for viewers those that they may see',
        querystring: TitleListQuery,
        response: { 200: TitleList },
      },
    },
    async (request) => {
      const { artwork, profileId, ...query } = request.query;
      const viewer = await viewerOf(rights, request, profileId);
      const picturesOf = artwork === undefined ? undefined : links(wishOf(request, artwork));
      const withPictures = (title: TitleView): TitleView =>
        picturesOf === undefined ? title : { ...title, artwork: picturesOf(title.id) };
      const { titles, ...more } = catalog.page(query, viewer);
      if (viewer === undefined) return { titles: titles.map(withPictures), ...more };
      const inLanguage = translatorOf(catalog, request.headers);
      const shown = titles.map((title) => inLanguage(viewerView(title)));
      return { titles: shown.map(withPictures), ...more };
    },
  );
  app.get(
    '/v1/titles/:id',
    {
      config: { credential: viewers },
      schema: {
        tags: ['titles'],
        summary: 'One title',
        params,
        querystring: TitleQuery,
        response: { 200: TitleView },
      },
    },
    async (request) => {
      const { id } = request.params;
      const viewer = await viewerOf(rights, request, request.query.profileId);
      const artwork = links(wishOf(request, request.query.artwork))(id);
      if (viewer === undefined) return { ...catalog.title(id), artwork };
      // What may not be seen is not told from what is not there.
      if (!catalog.rights.isShown(id, viewer)) throw coded('TITLE_UNKNOWN', id);
      return { ...translatorOf(catalog, request.headers)(viewerView(catalog.title(id))), artwork };
    },
  );
}

/** Shows titles in the languages that a viewer's device asks for. */
function translatorOf(catalog: Catalog, headers: IncomingHttpHeaders): (title: TitleView) => TitleView {
  const wanted = acceptedLanguages(headers['accept-language']);
  return (title) => translated(title, catalog.translations(title.id), wanted);
}
