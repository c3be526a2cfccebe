import { ImportReply, ImportRequest, WatchedFolders } from '../../../common/contract/imports.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Catalog } from './service.ts';

const config = { credential: ['operator', 'admin'] } as const;
const tags = ['titles'];

/** Routes by which titles are imported. */
export function importRoutes(app: App, { imports, watched }: Pick<Catalog, 'imports' | 'watched'>): void {
  app.post(
    '/v1/titles/import',
    {
      config,
      schema: {
        summary: 'Make or change many titles, known by their external ids; each is judged by itself',
        tags,
        body: ImportRequest,
        response: { 200: ImportReply },
      },
    },
    (request) => imports.run(request.body),
  );
  app.get(
    '/v1/titles/import',
    {
      config,
      schema: {
        summary: 'Folders that are watched, and what is wrong in them',
        tags,
        response: { 200: WatchedFolders },
      },
    },
    () => ({ folders: watched.views() }),
  );
}
