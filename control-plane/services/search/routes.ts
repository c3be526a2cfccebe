import { TitleSearchQuery, TitleSearchReply } from '../../../common/contract/search.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { TitleSearch } from './service.ts';

/** The route that finds titles. */
export function searchRoutes(app: App, { search }: { search: TitleSearch }): void {
  app.get(
    '/v1/search/titles',
    {
      config: { credential: ['operator', 'admin', 'viewer'] },
      schema: {
        tags: ['titles'],
        summary: 'Titles by what somebody types, typos forgiven; for viewers those that are live',
        querystring: TitleSearchQuery,
        response: { 200: TitleSearchReply },
      },
    },
    ({ query, caller }) => search.query(query, caller.kind === 'access' && caller.role === 'viewer'),
  );
}
