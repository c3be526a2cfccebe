import { TitleSearchQuery, TitleSearchReply } from '../../../common/contract/search.ts';
import { acceptedLanguages } from '../../../common/core/language.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { viewerOf, type ViewerRights } from '../viewer-rights.ts';
import type { TitleSearch } from './service.ts';

/** The route that finds titles. */
export function searchRoutes(
  app: App,
  { search, rights }: { search: TitleSearch; rights: ViewerRights },
): void {
  app.get(
    '/v1/search/titles',
    {
      config: { credential: ['operator', 'admin', 'viewer'] },
      schema: {
        tags: ['titles'],
        summary: 'Titles by what somebody types, typos forgiven; for viewers those that they may see',
        querystring: TitleSearchQuery,
        response: { 200: TitleSearchReply },
      },
    },
    async (request) => {
      const viewer = await viewerOf(rights, request, request.query.profileId);
      const languages = viewer === undefined ? [] : acceptedLanguages(request.headers['accept-language']);
      return search.query(request.query, { viewer, languages });
    },
  );
}
