import { AccountExport } from '../../../common/contract/accounts.ts';
import { ObjectId } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Privacy } from './service.ts';

const params = Type.Object({ id: ObjectId });
const tags = ['accounts'];

/** Routes by which all that is known of an account is told, and erased. */
export function privacyRoutes(app: App, { privacy }: { privacy: Privacy }): void {
  app.get(
    '/v1/accounts/:id/export',
    {
      config: { credential: ['admin'] },
      schema: {
        summary: 'All that is known of an account, for the person whose it is',
        tags,
        params,
        response: { 200: AccountExport },
      },
    },
    async (request) => privacy.export(request.params.id),
  );
  app.delete(
    '/v1/accounts/:id',
    {
      config: { credential: ['admin'] },
      schema: {
        summary: 'Erases an account: its tokens and sessions, its profiles and what they have watched',
        tags,
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await privacy.erase(request.params.id);
      return reply.code(204).send(null);
    },
  );
}
