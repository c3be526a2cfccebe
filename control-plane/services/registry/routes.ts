import { Type } from '../../../common/contract/type.ts';
import { SteeringAddress } from '../../../common/contract/health.ts';
import {
  DrainRequest,
  Heartbeat,
  HeartbeatReply,
  NodeList,
  NodeView,
} from '../../../common/contract/nodes.ts';
import { NodeId } from '../../../common/contract/primitives.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { MaintenanceCalendar } from './maintenance.ts';
import { maintenanceRoutes } from './maintenance-routes.ts';
import { seesSite } from '../own-sites.ts';
import { unknownNode, type Registry } from './service.ts';

const NodeParams = Type.Object({ id: NodeId });
// Half a million files and a hundred thousand routes, which is what the contract lets one report hold.
const heartbeatBytesMax = 64 * 1024 * 1024;

/** Routes of the nodes: their reports, and what operators see and do. */
export function registryRoutes(
  app: App,
  { registry, maintenance }: { registry: Registry; maintenance: MaintenanceCalendar },
): void {
  app.addHook('preHandler', async (request) => {
    if (!request.is404 && request.caller.kind === 'node') registry.touch(request.caller.nodeId);
  });
  app.put(
    '/v1/nodes/:id/heartbeat',
    {
      config: { credential: ['node:appliance', 'node:origin'], self: 'id' },
      bodyLimit: heartbeatBytesMax,
      schema: {
        summary: 'A report of an appliance or origin; renews its lease',
        tags: ['nodes'],
        params: NodeParams,
        body: Heartbeat,
        response: { 200: HeartbeatReply },
      },
    },
    async (request) => registry.heartbeat(request.params.id, request.body),
  );
  app.put(
    '/v1/nodes/:id/address',
    {
      config: { credential: ['node:steering'], self: 'id' },
      schema: {
        summary: 'Where boxes and other steering nodes reach a steering node',
        tags: ['nodes'],
        params: NodeParams,
        body: SteeringAddress,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await registry.announce(request.params.id, request.body.url);
      return reply.code(204).send(null);
    },
  );
  maintenanceRoutes(app, { calendar: maintenance, sites: () => sitesOf(registry) });
  readRoutes(app, registry);
  changeRoutes(app, registry);
}

function sitesOf(registry: Registry): ReadonlyMap<string, string | undefined> {
  return new Map(registry.views().map(({ id, site }) => [id, site]));
}

function readRoutes(app: App, registry: Registry): void {
  app.get(
    '/v1/nodes',
    {
      config: { credential: ['operator', 'admin', 'partner'] },
      schema: {
        summary: 'Every node, by name; to a partner those of its sites',
        tags: ['nodes'],
        response: { 200: NodeList },
      },
    },
    async ({ caller }) => ({ nodes: registry.views().filter(({ site }) => seesSite(caller, site)) }),
  );
  app.get(
    '/v1/nodes/:id',
    {
      config: { credential: ['operator', 'admin', 'partner'] },
      schema: { summary: 'One node', tags: ['nodes'], params: NodeParams, response: { 200: NodeView } },
    },
    async ({ caller, params: { id } }) => {
      const view = registry.view(id);
      // Another's box is as unknown as one that is not there.
      if (!seesSite(caller, view.site)) throw unknownNode(id);
      return view;
    },
  );
}

function changeRoutes(app: App, registry: Registry): void {
  app.post(
    '/v1/nodes/:id/drain',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Takes an appliance out of steering, or back in',
        tags: ['nodes'],
        params: NodeParams,
        body: DrainRequest,
        response: { 200: NodeView },
      },
    },
    async (request) => registry.setDrain(request.params.id, request.body.drain),
  );
  app.delete(
    '/v1/nodes/:id',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Revokes a node: its key is refused from now on, its name becomes free',
        tags: ['nodes'],
        params: NodeParams,
        response: { 200: NodeView },
      },
    },
    async (request) => {
      await registry.revoke(request.params.id);
      return registry.view(request.params.id);
    },
  );
}
