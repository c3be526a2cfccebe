import type { Clock } from '../../common/runtime/clock.ts';
import { coded, type CodedError } from '../../common/runtime/errors.ts';
import type { App } from '../../common/runtime/http-app.ts';
import type { BareServer } from '../../common/runtime/http-bare.ts';
import type { NamedRate } from '../../common/runtime/http-rates.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { forwardBare, type BareRoute } from './bare-forward.ts';
import type { Priority } from './core/priority-gate.ts';
import { loadOf } from './core/route-priority.ts';
import { parseUpstreams } from './core/upstream-table.ts';
import { forward } from './forward.ts';
import { frameworkSink } from './framework-sink.ts';
import { openGroup, type UpstreamGroup } from './upstream-group.ts';

const BODY_BYTES_MAX = 1024 * 1024;

export interface UpstreamsOptions {
  readonly upstreams: readonly string[];
  /** Those of this control plane, which count their clients themselves: they know who it is. */
  readonly services: readonly string[];
  /** The routes that this process serves itself. */
  readonly taken: readonly string[];
  readonly draining: AbortSignal;
  readonly bare: BareServer;
  readonly hasRoom: (priority: Priority) => boolean;
  readonly clientRates: Readonly<Record<Priority, NamedRate>>;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/**
 * Adds the routes of services that run elsewhere: all methods of a prefix and what is below it. Their credentials are theirs to
 * check; the gateway's filters before that hold for them too.
 *
 * @throws CONFIG_INVALID for a prefix below which there are routes of this process.
 */
export async function forwardUpstreams(app: App, options: UpstreamsOptions): Promise<void> {
  const { upstreams, services, taken, clock, metrics } = options;
  const routes = parseUpstreams([...upstreams, ...services]);
  if (typeof routes === 'string')
    throw coded(
      'CONFIG_INVALID',
      `--gateway-upstreams: ${routes} is not like /v1/billing=http://10.0.0.5:7080`,
    );
  const groups = routes.map((route) => openGroup(route, clock));
  for (const { prefix } of groups) refuseTaken(prefix, taken);
  const isOurs = (prefix: string): boolean => services.some((text) => text.startsWith(`${prefix}=`));
  const counted = measureUpstreams(metrics, groups);
  app.addHook('onClose', async () => {
    for (const group of groups) group.close();
  });
  const bareRoutes = groups.map((group): BareRoute => {
    const { prefix } = group;
    const { priority } = loadOf({ method: 'GET', url: prefix, credential: ['none'] });
    return {
      ...{ prefix, priority, clientRate: isOurs(prefix) ? undefined : options.clientRates[priority] },
      options: {
        ...{ group, clock },
        onRetry: () => counted.retries.inc({ prefix }),
        onFailure: ({ origin }) => counted.failures.inc({ origin }),
      },
    };
  });
  await app.register(async (scope) => {
    frameworkRoutes(scope, bareRoutes, options.draining);
  });
  forwardBare({ ...options, routes: bareRoutes });
}

/** Whatever is not forwarded past the framework. */
function frameworkRoutes(scope: App, routes: readonly BareRoute[], draining: AbortSignal): void {
  scope.removeAllContentTypeParsers();
  // Whatever it is, whole: what has not been sent can be sent again, and slow clients hold no service.
  scope.addContentTypeParser(
    '*',
    { parseAs: 'buffer', bodyLimit: BODY_BYTES_MAX },
    (_request, body, done) => {
      done(null, body);
    },
  );
  for (const { prefix, priority, clientRate, options } of routes) {
    // Each service has its own gate: one that is slow takes no places of others.
    const config = {
      credential: ['none'],
      load: { priority, holds: 'start' },
      countsClients: clientRate !== undefined,
    } as const;
    for (const url of [prefix, `${prefix}/*`]) {
      scope.all(url, { config, bodyLimit: BODY_BYTES_MAX }, async (request, reply) => {
        const { raw, method, body, ip: address, host, protocol, id: requestId } = request;
        const forwarded = {
          ...{ method, path: raw.url ?? '/', rawFields: raw.rawHeaders },
          body: Buffer.isBuffer(body) && body.length > 0 ? body : null,
          asker: { address, host, protocol, requestId },
        };
        await new Promise<void>((resolve, reject) => {
          const over = (fault: CodedError | undefined): void => {
            if (fault === undefined) resolve();
            else reject(fault);
          };
          forward(forwarded, frameworkSink(reply, { draining, over }), options);
        });
        // Who left has no answer.
        if (!reply.sent) reply.hijack();
      });
    }
  }
}

function refuseTaken(prefix: string, taken: readonly string[]): void {
  const own = taken.find((route) => {
    const [, url = ''] = route.split(' ');
    return url === prefix || url.startsWith(`${prefix}/`);
  });
  if (own !== undefined)
    throw coded('CONFIG_INVALID', `--gateway-upstreams: ${prefix} is served by this process (${own})`);
}

function measureUpstreams(metrics: Metrics, groups: readonly UpstreamGroup[]) {
  metrics.gauge({
    name: 'nearcast_gateway_upstream_requests',
    help: 'Requests under way to each process behind the gateway',
    labels: ['origin'],
    collect: (gauge) => {
      for (const { origin, inFlight } of groups.flatMap(({ upstreams }) => upstreams))
        gauge.set({ origin }, inFlight);
    },
  });
  return {
    failures: metrics.counter({
      name: 'nearcast_gateway_upstream_failures_total',
      help: 'Requests that a process behind the gateway did not answer, or answered with 502, 503 or 504',
      labels: ['origin'],
    }),
    retries: metrics.counter({
      name: 'nearcast_gateway_retries_total',
      help: 'Requests that were sent again',
      labels: ['prefix'],
    }),
  };
}
