import { ObjectId } from '../../../common/contract/primitives.ts';
import { TitleMetadata, TitleMetadataView } from '../../../common/contract/title-metadata.ts';
import { Type } from '../../../common/contract/type.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { MetadataEditor } from './metadata.ts';

const config = { credential: ['operator', 'admin'] } as const;
const tags = ['titles'];
const params = Type.Object({ id: ObjectId });

/** Routes by which the metadata of titles are edited. */
export function metadataRoutes(app: App, { metadata }: { metadata: MetadataEditor }): void {
  app.get(
    '/v1/titles/:id/metadata',
    {
      config,
      schema: {
        summary: 'All of a title that is edited, in every language, with its etag',
        tags,
        params,
        response: { 200: TitleMetadataView },
      },
    },
    async (request, reply) => {
      const view = metadata.read(request.params.id);
      return reply.header('etag', view.etag).send(view);
    },
  );
  app.put(
    '/v1/titles/:id/metadata',
    {
      config,
      schema: {
        summary: 'Put all of it; if-match names the etag that the change was made upon',
        tags,
        params,
        body: TitleMetadata,
        response: { 200: TitleMetadataView },
      },
    },
    async (request, reply) => {
      const { params: named, body, headers } = request;
      const view = await metadata.put(named.id, body, headers['if-match']);
      return reply.header('etag', view.etag).send(view);
    },
  );
}
