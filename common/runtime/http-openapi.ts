import type { FastifyInstance, FastifyRequest, FastifySchema, HTTPMethods, RouteOptions } from 'fastify';
import { Type, type Static } from '../contract/type.ts';
import type { App } from './http-app.ts';
import type { Caller, Credential } from './http-credential.ts';

/** What is known of another server's description. */
export const ApiDescription = Type.Object({ paths: Type.Record(Type.String(), Type.Unknown()) });
export type ApiPaths = Static<typeof ApiDescription>['paths'];

export interface OpenApiOptions {
  title: string;
  version: string;
  description?: string;
  /** Serve the browsable form at /docs too. */
  docs?: boolean;
  /** Descriptions of what else is reached by this server; asked each time. */
  others?: () => Promise<readonly ApiPaths[]>;
  /** Who alone may read it, everybody where this is absent; `check` throws for whom the credential is not enough. */
  only?: { readonly credential: readonly Credential[]; readonly check: (caller: Caller) => void };
}

interface SeenRoute {
  method: HTTPMethods | HTTPMethods[];
  url: string;
  schema: FastifySchema;
  credential: readonly Credential[];
}

/**
 * Serves the OpenAPI 3.1 description of the app's routes at /openapi.json, and a browser for it at /docs. Both are the work of
 * a second app with the same schemas that is made when the first asks, so that neither costs start time or memory before.
 */
export function serveOpenApi(app: App, options: OpenApiOptions): void {
  const seen: SeenRoute[] = [];
  app.addHook('onRoute', (route: RouteOptions) => {
    if (route.method === 'HEAD' || route.method === 'OPTIONS' || route.schema === undefined) return;
    const { method, url, schema, config } = route;
    seen.push({ method, url, schema, credential: config?.credential ?? [] });
  });
  let shadow: Promise<FastifyInstance> | undefined;
  const shadowApp = (): Promise<FastifyInstance> => (shadow ??= createShadow(seen, options));
  app.addHook('onClose', async () => {
    await (await shadow)?.close();
  });
  const { only } = options;
  const open = { config: { credential: only?.credential ?? (['none'] as const), anyScope: true } };
  const whole = async ({ caller }: Pick<FastifyRequest, 'caller'>): Promise<object> => {
    only?.check(caller);
    const own = (await shadowApp()).swagger();
    const others = (await options.others?.()) ?? [];
    return { ...own, paths: Object.assign({}, ...others, own.paths) as ApiPaths };
  };
  app.get('/openapi.json', open, whole);
  if (options.docs !== true) return;
  // Before what the pages themselves would take for the whole. All JSON is YAML.
  for (const url of ['/docs/json', '/docs/yaml']) app.get(url, open, whole);
  for (const url of ['/docs', '/docs/*']) {
    app.get(url, open, async (request, reply) => {
      const described = await shadowApp();
      // Hijacking leaves our headers behind.
      reply.raw.setHeaders(
        new Map(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)])),
      );
      reply.hijack();
      described.routing(request.raw, reply.raw);
    });
  }
}

async function createShadow(routes: readonly SeenRoute[], options: OpenApiOptions): Promise<FastifyInstance> {
  const [{ fastify }, { default: swagger }] = await Promise.all([
    import('fastify'),
    import('@fastify/swagger'),
  ]);
  const app = fastify({ logger: false });
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  const { title, version, description = '' } = options;
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, version, description },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    },
  });
  if (options.docs === true) {
    const { default: ui } = await import('@fastify/swagger-ui');
    await app.register(ui, { routePrefix: '/docs' });
  }
  for (const { method, url, schema, credential } of routes) {
    app.route({ method, url, schema: { ...schema, ...describe(credential) }, handler: () => undefined });
  }
  await app.ready();
  return app;
}

function describe(credential: readonly Credential[]): FastifySchema {
  if (credential.includes('none')) return { security: [] };
  const schema = { security: [{ bearer: [] }], 'x-credential': credential };
  return schema;
}
