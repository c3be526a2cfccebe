import { AuditPage, AuditQuery } from '../../../common/contract/audit.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Audit } from './service.ts';

/** The route of the audit log, for admins. */
export function auditRoutes(app: App, { audit }: { audit: Audit }): void {
  app.get(
    '/v1/audit',
    {
      config: { credential: ['admin'] },
      schema: {
        summary: 'Privileged acts, as a chain of hashes',
        tags: ['accounts'],
        querystring: AuditQuery,
        response: { 200: AuditPage },
      },
    },
    ({ query }) => audit.page(query),
  );
}
