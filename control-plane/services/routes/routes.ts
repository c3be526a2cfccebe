import {
  routeDeltaType,
  RouteLint,
  RouteSitePatch,
  RouteSites,
  RoutesQuery,
  RoutesView,
  RouteTableReply,
  routeTableType,
} from '../../../common/contract/routes.ts';
import { NodeId, PlaceName } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { routeTableBytesMax } from '../../../common/runtime/route-table-packing.ts';
import type { Routes } from './service.ts';

const params = Type.Object({ id: NodeId });
const response = { 200: RouteTableReply };
const tags = ['routes'];
const viewers = ['operator', 'admin'] as const;

/** Routes of the routes: boxes tell theirs; operators look at them and say what a site may announce. */
export function routesRoutes(app: App, { routes }: { routes: Routes }): void {
  // In a scope of its own: only here is a body a packed table, and nothing else.
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      [routeTableType, routeDeltaType],
      { parseAs: 'buffer' },
      (_request, body, parsed) => {
        parsed(null, body);
      },
    );
    tellRoutes(scope, routes);
    done();
  });
  viewRoutes(app, routes);
  siteRoutes(app, routes);
}

function tellRoutes(app: App, routes: Routes): void {
  const config = { credential: ['node:appliance', 'node:origin'], self: 'id' } as const;
  const packedOf = (request: { body: unknown }): Buffer => {
    if (Buffer.isBuffer(request.body)) return request.body;
    throw coded('UNSUPPORTED_MEDIA_TYPE', `send ${routeTableType} or ${routeDeltaType}`);
  };
  app.put(
    '/v1/nodes/:id/route-table',
    {
      config,
      bodyLimit: routeTableBytesMax,
      schema: { tags, params, response, consumes: [routeTableType], summary: 'All routes of a box' },
    },
    async (request) => routes.put(request.params.id, packedOf(request)),
  );
  app.patch(
    '/v1/nodes/:id/route-table',
    {
      config,
      bodyLimit: routeTableBytesMax,
      schema: {
        ...{ tags, params, response, consumes: [routeDeltaType] },
        summary:
          'What changed in the routes of a box since it told them last; ROUTE_TABLE_UNKNOWN: tell them whole',
      },
    },
    async (request) => routes.patch(request.params.id, packedOf(request)),
  );
}

function viewRoutes(app: App, { views }: Routes): void {
  app.get(
    '/v1/routes',
    {
      config: { credential: viewers },
      schema: {
        summary: 'The routes of the boxes in numbers; those of a box, about a prefix, or to a client',
        tags,
        querystring: RoutesQuery,
        response: { 200: RoutesView },
      },
    },
    (request) => views.show(request.query),
  );
  app.get(
    '/v1/routes/lint',
    {
      config: { credential: viewers },
      schema: {
        summary: 'What is wrong with the routes of the boxes',
        tags,
        querystring: Type.Pick(RoutesQuery, ['appliance', 'site']),
        response: { 200: RouteLint },
      },
    },
    (request) => views.lint(request.query),
  );
}

function siteRoutes(app: App, routes: Routes): void {
  app.get(
    '/v1/routes/sites',
    {
      config: { credential: viewers },
      schema: { summary: 'What the boxes of each site may announce', tags, response: { 200: RouteSites } },
    },
    async () => routes.views.sites(),
  );
  app.patch(
    '/v1/routes/sites/:site',
    {
      config: { credential: ['operator'] },
      bodyLimit: 2 * 1024 * 1024,
      schema: {
        summary: 'Choose what the boxes of a site may announce; null goes back to the default',
        tags,
        params: Type.Object({ site: PlaceName }),
        body: RouteSitePatch,
        response: { 200: RouteSites },
      },
    },
    async (request) => {
      await routes.patchSite(request.params.site, request.body);
      return routes.views.sites();
    },
  );
}
