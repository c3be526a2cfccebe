import { BackupList, BackupWork } from '../../../common/contract/backups.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Backups } from './service.ts';

const tags = ['backups'];

/** Routes of backups. What is in them never comes over HTTP: it holds the root key. */
export function backupRoutes(app: App, { backups }: { backups: Backups }): void {
  app.get(
    '/v1/backups',
    {
      config: { credential: ['admin'] },
      schema: {
        summary: 'Backups that are kept, and how far the one being made has come',
        tags,
        response: { 200: BackupList },
      },
    },
    async () => backups.list(),
  );
  app.post(
    '/v1/backups',
    {
      config: { credential: ['admin'] },
      schema: {
        summary: 'Begins a backup of all records and keys, to where the control plane keeps them',
        tags,
        response: { 202: BackupWork },
      },
    },
    async (_request, reply) => reply.code(202).send(backups.begin()),
  );
}
