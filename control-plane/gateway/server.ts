import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { CredentialVerifiers } from '../../common/runtime/http-credential.ts';
import type { ApiPaths } from '../../common/runtime/http-openapi.ts';
import { createHttpServer, type HttpServer } from '../../common/runtime/http-server.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { requireInternal } from '../apart/serve.ts';
import { auditActs, type ActLog } from './audit.ts';
import { limitClients, namedRates, type ClientRates } from './client-rates.ts';
import { controlLoad, type LoadLimits } from './load-control.ts';
import { addPolicies, pageRoutes } from './pages.ts';

export interface GatewayOptions {
  version: string;
  log: Log;
  metrics: Metrics;
  chance: Chance;
  clock: Clock;
  limits: LoadLimits & ClientRates & { addressPerSecond: number; upstreams: readonly string[] };
  verifiers: CredentialVerifiers;
  audit: ActLog;
  /** What only the process has that lets strangers in: pages, the description, and what it sends on to services of its own. */
  front:
    | {
        readonly clientsDir: string;
        readonly services: readonly string[];
        readonly descriptions: () => Promise<readonly ApiPaths[]>;
      }
    | undefined;
  trustedProxies: readonly string[];
  corsOrigins: readonly string[];
  /** Adds the routes of the services. */
  routes: (server: HttpServer) => void | Promise<void>;
}

// Routes that every plane's HTTP server has.
const everywhere = ['GET /healthz', 'GET /metrics', 'GET /openapi.json', 'GET /docs'];

const description = {
  title: 'Nearcast control plane',
  description:
    'Catalog, nodes, placement, fill, playback sessions and the signed documents that hold them together.',
};

/** Composes the control plane's HTTP server: its services' routes behind one set of limits, credentials and policies. */
export async function createGateway(
  options: GatewayOptions,
): Promise<{ server: HttpServer; routes: string[] }> {
  const {
    version,
    log,
    metrics,
    chance,
    clock,
    limits,
    verifiers,
    audit,
    front,
    trustedProxies,
    corsOrigins,
    routes,
  } = options;
  const server = await createHttpServer({
    name: 'control-plane',
    version,
    log,
    metrics,
    chance,
    credentials: verifiers,
    clock,
    trustedProxies,
    rate: { burst: limits.addressPerSecond, perSecond: limits.addressPerSecond },
    cors: corsOrigins,
    openapi: {
      ...{ ...description, version, docs: front !== undefined },
      // Of a service that runs apart the gateway alone asks for its part.
      ...(front === undefined
        ? { only: { credential: ['service'], check: requireInternal } }
        : { others: front.descriptions }),
    },
  });
  const seen: string[] = [];
  server.app.addHook('onRoute', ({ method, url }) => {
    seen.push(...[method].flat().map((one) => `${one} ${url}`));
  });
  addPolicies(server.app);
  const { hasRoom } = controlLoad(server.app, { clock, metrics, limits });
  limitClients(server.app, { take: server.takeRate, rates: limits });
  auditActs(server.app, audit);
  await routes(server);
  if (front === undefined) return { server, routes: seen };
  await pageRoutes(server.app, front);
  if (limits.upstreams.length + front.services.length > 0) {
    // The client that it needs is not loaded where nothing is behind the gateway.
    const { forwardUpstreams } = await import('./upstreams.ts');
    const { draining, bare } = server;
    await forwardUpstreams(server.app, {
      ...{ bare, hasRoom, log, clientRates: namedRates(limits) },
      upstreams: limits.upstreams,
      services: front.services,
      taken: [...seen, ...everywhere],
      draining,
      clock,
      metrics,
    });
  }
  return { server, routes: seen };
}
