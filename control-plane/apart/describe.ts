import type { ApiPaths } from '../../common/runtime/http-openapi.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { Callers } from './callers.ts';
import { serviceNames, type ServiceName } from './interface.ts';
import { isServedBy } from './service-urls.ts';

/** Descriptions of the routes that the gateway sends to services elsewhere; one that is away is left out until it is back. */
export async function describeApart({
  callers,
  here,
  log,
}: {
  callers: Pick<Callers, 'describe'>;
  here: readonly ServiceName[];
  log: Log;
}): Promise<ApiPaths[]> {
  const apart = serviceNames.filter((name) => name !== 'core').filter((name) => !here.includes(name));
  return Promise.all(
    apart.map(async (service) => {
      try {
        const paths = Object.entries(await callers.describe(service));
        return Object.fromEntries(paths.filter(([path]) => isServedBy(service, path)));
      } catch (error) {
        log.warn({ err: error, service }, 'the description lacks the routes of a service');
        return {};
      }
    }),
  );
}
