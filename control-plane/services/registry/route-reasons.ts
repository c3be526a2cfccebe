import type { RefusedRoutes, RouteRefusal } from '../../../common/contract/routes.ts';

const reasons: Readonly<Record<RouteRefusal, (count: number) => string>> = {
  default: (count) => `ROUTE_DEFAULT: ${count} default routes are not used`,
  foreign: (count) => `ROUTE_FOREIGN: ${count} routes that its site may not announce are not used`,
  'too-specific': (count) =>
    `ROUTE_TOO_SPECIFIC: ${count} routes with prefixes longer than its site may announce are not used`,
  unreadable: (count) => `ROUTE_UNREADABLE: ${count} routes with an unreadable prefix are not used`,
  'over-limit': (count) => `ROUTES_CAPPED: ${count} routes above the limit of its site are not used`,
};

/** What a node's view says of routes that are not used; `nearcast routes lint` says more. */
export function routeReasons(refused: readonly RefusedRoutes[]): string[] {
  return refused.map(({ refusal, count }) => reasons[refusal](count));
}
