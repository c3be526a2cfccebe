import type { Clock } from '../../common/runtime/clock.ts';
import type { ApiPaths } from '../../common/runtime/http-openapi.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Callers } from './callers.ts';
import { serviceNames, type ServiceName } from './interface.ts';
import { isServedBy } from './service-urls.ts';

/** Strangers may ask, and each answer takes asking every service: what was told is told again for so long. */
const keptMs = 5000;

/** Descriptions of the routes that the gateway sends to services elsewhere; one that is away is left out until it is back. */
export function describeApart(options: {
  callers: Pick<Callers, 'describe'>;
  here: readonly ServiceName[];
  clock: Clock;
  log: Log;
}): () => Promise<ApiPaths[]> {
  const { callers, here, clock, log } = options;
  const apart = serviceNames.filter((name) => name !== 'core').filter((name) => !here.includes(name));
  let kept: { readonly told: Promise<ApiPaths[]>; readonly untilMs: number } | undefined;
  const pathsOf = async (service: (typeof apart)[number]): Promise<ApiPaths> => {
    try {
      const paths = Object.entries(await callers.describe(service));
      return Object.fromEntries(paths.filter(([path]) => isServedBy(service, path)));
    } catch (error) {
      log.warn({ err: error, service }, 'the description lacks the routes of a service');
      return {};
    }
  };
  return async () => {
    const nowMs = clock.monotonicMs();
    if (kept === undefined || nowMs >= kept.untilMs)
      kept = { told: Promise.all(apart.map(pathsOf)), untilMs: nowMs + keptMs };
    return kept.told;
  };
}
