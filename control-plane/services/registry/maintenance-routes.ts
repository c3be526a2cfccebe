import { Type } from '../../../common/contract/type.ts';
import {
  MaintenanceList,
  MaintenanceRequest,
  MaintenanceWindow,
} from '../../../common/contract/maintenance.ts';
import { ObjectId } from '../../../common/contract/primitives.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { seesSite } from '../own-sites.ts';
import type { MaintenanceCalendar } from './maintenance.ts';

export interface MaintenanceRoutesOptions {
  calendar: MaintenanceCalendar;
  /** At which site each box is. */
  sites: () => ReadonlyMap<string, string | undefined>;
}

/** Routes of the calendar of planned maintenance. */
export function maintenanceRoutes(app: App, { calendar, sites }: MaintenanceRoutesOptions): void {
  app.get(
    '/v1/maintenance',
    {
      config: { credential: ['operator', 'admin', 'partner'] },
      schema: {
        summary: 'Planned maintenance, and that of the last month; to a partner that of its sites',
        tags: ['nodes'],
        response: { 200: MaintenanceList },
      },
    },
    async ({ caller }) => {
      const siteOf = sites();
      const windows = calendar
        .list()
        .filter(({ appliance, site }) => seesSite(caller, site ?? siteOf.get(appliance ?? '')));
      return { windows };
    },
  );
  app.post(
    '/v1/maintenance',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Plans maintenance: steering leads viewers away before it begins',
        tags: ['nodes'],
        body: MaintenanceRequest,
        response: { 201: MaintenanceWindow },
      },
    },
    async (request, reply) => reply.code(201).send(await calendar.add(request.body)),
  );
  app.delete(
    '/v1/maintenance/:id',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Takes planned maintenance back, or ends it',
        tags: ['nodes'],
        params: Type.Object({ id: ObjectId }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await calendar.remove(request.params.id);
      return reply.code(204).send(null);
    },
  );
}
