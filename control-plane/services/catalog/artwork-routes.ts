import type { FastifyRequest } from 'fastify';
import {
  ArtworkList,
  ArtworkOfTitles,
  ArtworkQuery,
  ArtworkRequest,
  ArtworkView,
  type TitlePicture,
} from '../../../common/contract/artwork.ts';
import { ObjectId } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import { acceptedLanguages } from '../../../common/core/language.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Rights } from '../../core/title-rights.ts';
import { clientOf, viewerOf, type ViewerRights } from '../viewer-rights.ts';
import type { ArtworkWish } from './core/pick-artwork.ts';
import type { Artwork } from './artwork.ts';
import type { Outlines } from './outlines.ts';

/** Links to the pictures of titles, as a client at this address is to have them: asked once for a whole list. */
export type ArtworkLinks = (
  wish: ArtworkWish & { readonly client: string },
) => (titleId: string) => TitlePicture[];

export interface ArtworkRoutesOptions {
  readonly catalog: {
    readonly artwork: Artwork;
    readonly outlines: Outlines;
    readonly rights: Pick<Rights, 'isShown'>;
  };
  readonly rights: ViewerRights;
  readonly links: ArtworkLinks;
  /** Has a bundle refused everywhere from now on. */
  readonly revoke: (bundle: string) => Promise<unknown>;
}

const operators = { credential: ['operator', 'admin'] } as const;
const viewers = { credential: ['operator', 'admin', 'viewer'] } as const;
const params = Type.Object({ id: ObjectId });
const tags = ['artwork'];

/** What a request wants of pictures: of these kinds, in its languages, for its address. */
export function wishOf(request: FastifyRequest, kinds: string | undefined): Parameters<ArtworkLinks>[0] {
  const languages = acceptedLanguages(request.headers['accept-language']);
  return { languages, client: clientOf(request), ...(kinds !== undefined && { kinds: kinds.split(',') }) };
}

/** Routes of the pictures of titles. */
export function artworkRoutes(app: App, options: ArtworkRoutesOptions): void {
  pictureRoute(app, options);
  const { artwork } = options.catalog;
  app.get(
    '/v1/titles/:id/artwork',
    {
      config: operators,
      schema: { summary: 'All pictures of a title', tags, params, response: { 200: ArtworkList } },
    },
    (request) => ({ artwork: artwork.views(request.params.id) }),
  );
  app.post(
    '/v1/titles/:id/artwork',
    {
      config: operators,
      schema: {
        summary:
          'Give a title a picture; it takes the place of that of this kind and language once it is made',
        tags,
        params,
        body: ArtworkRequest,
        response: { 200: ArtworkView, 201: ArtworkView },
      },
    },
    async (request, reply) => {
      const { view, isNew } = await artwork.set(request.params.id, request.body);
      return await reply.code(isNew ? 201 : 200).send(view);
    },
  );
  app.delete(
    '/v1/titles/:id/artwork/:artworkId',
    {
      config: operators,
      schema: {
        summary: 'Remove a picture: its links are refused within seconds',
        tags,
        params: Type.Object({ id: ObjectId, artworkId: ObjectId }),
        response: { 204: Type.Null({ description: 'Nothing' }) },
      },
    },
    async (request, reply) => {
      const { id, artworkId } = request.params;
      await artwork.remove(id, artworkId, options.revoke);
      return await reply.code(204).send(null);
    },
  );
}

function pictureRoute(app: App, { catalog, rights, links }: ArtworkRoutesOptions): void {
  app.get(
    '/v1/artwork',
    {
      config: viewers,
      schema: {
        summary: 'Pictures of titles that a list from elsewhere names: found, recommended, gone on with',
        tags,
        querystring: ArtworkQuery,
        response: { 200: ArtworkOfTitles },
      },
    },
    async (request) => {
      const { titles, artwork, profileId } = request.query;
      const viewer = await viewerOf(rights, request, profileId);
      const picturesOf = links(wishOf(request, artwork));
      const ids = [...new Set(titles.split(','))];
      const shown = ids.filter((id) =>
        viewer === undefined ? catalog.outlines.find(id) !== undefined : catalog.rights.isShown(id, viewer),
      );
      return { titles: shown.map((titleId) => ({ titleId, artwork: picturesOf(titleId) })) };
    },
  );
}
