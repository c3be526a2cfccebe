import { Type } from '../../common/contract/type.ts';
import { PathwayHealth, PathwayHealthList } from '../../common/contract/health.ts';
import { SteeringStatus } from '../../common/contract/steering.ts';
import { NodeId } from '../../common/contract/primitives.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { App } from '../../common/runtime/http-app.ts';
import type { Brain } from '../brain.ts';
import type { Monitor } from '../monitor/monitor.ts';
import { noMap } from './refusals.ts';

export interface HealthRoutesOptions {
  readonly monitor: Monitor;
  readonly brain: Pick<Brain, 'status' | 'view'>;
}

/** Registers what tells of the boxes' health, and of this node's own. */
export function addHealthRoutes(app: App, { monitor, brain }: HealthRoutesOptions): void {
  const config = { credential: ['operator', 'admin'] } as const;
  app.get(
    '/v1/status',
    {
      config,
      schema: {
        summary: 'The map in force, who is in sight, and the health of every way',
        response: { 200: SteeringStatus },
      },
    },
    () => ({
      ...brain.status(),
      sight: monitor.sight(),
      peers: monitor.peers(),
      holding: monitor.holding(),
      pathways: monitor.list(),
    }),
  );
  app.get(
    '/v1/pathways/health',
    {
      config,
      schema: { summary: 'How each appliance is, and since when', response: { 200: PathwayHealthList } },
    },
    () => ({ pathways: monitor.list() }),
  );
  app.get(
    '/v1/pathways/:id/health',
    {
      config,
      schema: {
        summary: 'How one appliance is: who sees what of it, and how that came about',
        params: Type.Object({ id: NodeId }),
        response: { 200: PathwayHealth },
      },
    },
    (request) => {
      const found = monitor.describe(request.params.id);
      if (found === undefined) throw coded('NODE_UNKNOWN', `${request.params.id} is not in the map`);
      return found;
    },
  );
  app.get(
    '/readyz',
    {
      config: { credential: ['none'] },
      schema: {
        summary: 'Whether to send anybody here: load balancers and route announcers withdraw it at a 503',
      },
    },
    () => {
      if (brain.view() === undefined) throw noMap();
      const sight = monitor.sight();
      if (sight === 'isolated') {
        throw coded('UNAVAILABLE', {
          detail: 'this node has lost its peers and most boxes; the others answer better',
          retryAfterMs: 1000,
        });
      }
      return { sight };
    },
  );
}
