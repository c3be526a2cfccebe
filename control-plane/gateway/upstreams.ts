import type { Clock } from '../../common/runtime/clock.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { App } from '../../common/runtime/http-app.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { loadOf } from './core/route-priority.ts';
import { parseUpstreams } from './core/upstream-table.ts';
import { forward } from './forward.ts';
import { openGroup, type UpstreamGroup } from './upstream-group.ts';

const BODY_BYTES_MAX = 1024 * 1024;

/**
 * Adds the routes of services that run elsewhere: all methods of a prefix and what is below it. Their credentials are theirs to
 * check; the gateway's filters before that hold for them too. `services` are those of this control plane, which count
 * their clients themselves: they know who it is. `taken` are the routes that this process serves itself.
 *
 * @throws CONFIG_INVALID for a prefix below which there are routes of this process.
 */
export async function forwardUpstreams(
  app: App,
  {
    upstreams,
    services,
    taken,
    draining,
    clock,
    metrics,
  }: {
    upstreams: readonly string[];
    services: readonly string[];
    taken: readonly string[];
    draining: AbortSignal;
    clock: Clock;
    metrics: Metrics;
  },
): Promise<void> {
  const routes = parseUpstreams([...upstreams, ...services]);
  if (typeof routes === 'string')
    throw coded(
      'CONFIG_INVALID',
      `--gateway-upstreams: ${routes} is not like /v1/billing=http://10.0.0.5:7080`,
    );
  const groups = routes.map((route) => openGroup(route, clock));
  const isOurs = (prefix: string): boolean => services.some((text) => text.startsWith(`${prefix}=`));
  const counted = measureUpstreams(metrics, groups);
  app.addHook('onClose', async () => {
    await Promise.all(groups.map((group) => group.close()));
  });
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // Whatever it is, whole: what has not been sent can be sent again, and slow clients hold no service.
    scope.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit: BODY_BYTES_MAX },
      (_request, body, done) => {
        done(null, body);
      },
    );
    for (const group of groups) {
      refuseTaken(group.prefix, taken);
      const options = {
        ...{ group, clock, draining },
        onRetry: () => counted.retries.inc({ prefix: group.prefix }),
        onFailure: ({ origin }: { origin: string }) => counted.failures.inc({ origin }),
      };
      const { priority } = loadOf({ method: 'GET', url: group.prefix, credential: ['none'] });
      // Each service has its own gate: one that is slow takes no places of others.
      const config = {
        credential: ['none'],
        load: { priority, holds: 'start' },
        countsClients: !isOurs(group.prefix),
      } as const;
      for (const url of [group.prefix, `${group.prefix}/*`]) {
        scope.all(url, { config, bodyLimit: BODY_BYTES_MAX }, (request, reply) =>
          forward(request, reply, options),
        );
      }
    }
  });
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
