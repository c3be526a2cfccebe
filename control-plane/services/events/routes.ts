import { EventBatch, EventBatchReply } from '../../../common/contract/playback.ts';
import { NodeId } from '../../../common/contract/primitives.ts';
import { ServedReportReply, ServedReportRequest } from '../../../common/contract/served.ts';
import { Type } from '../../../common/contract/type.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { EventsService } from './service.ts';

// A player sends a batch every few seconds; an address may be a household's or a carrier's.
const rateLimit = { max: 300, timeWindow: 1000 };
const servedBytesMax = 2 * 1024 * 1024;

/** The routes of what players and nodes report. */
export function eventsRoutes(app: App, { events }: { events: EventsService }): void {
  app.post(
    '/v1/events',
    {
      // What a player tells of its playing changes nothing.
      config: { credential: ['viewer', 'operator', 'delivery:play'], rateLimit, audit: false },
      schema: {
        tags: ['playback'],
        summary: 'Report what happened in a playback; a repeated batch does no harm',
        body: EventBatch,
        response: { 200: EventBatchReply },
      },
    },
    async ({ body, caller }) => {
      const session = caller.kind === 'delivery' ? caller.claims.session : undefined;
      return await events.take(body.events, session);
    },
  );
  app.post(
    '/v1/nodes/:id/served-reports',
    {
      config: { credential: ['node:appliance', 'node:origin'], self: 'id' },
      bodyLimit: servedBytesMax,
      schema: {
        tags: ['nodes'],
        summary: 'What a box has served since its last report, signed by it; a repeat changes nothing',
        params: Type.Object({ id: NodeId }),
        body: ServedReportRequest,
        response: { 200: ServedReportReply },
      },
    },
    async ({ params, body }) => events.takeServed(params.id, body.jws),
  );
}
