import { StatusView } from '../../../common/contract/status.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Status } from './service.ts';

/** The route of the status. */
export function statusRoutes(app: App, { status }: { status: Status }): void {
  app.get(
    '/v1/status',
    {
      config: { credential: ['operator', 'admin'] },
      schema: { summary: 'The whole system at a glance', tags: ['status'], response: { 200: StatusView } },
    },
    async () => status.view(),
  );
}
