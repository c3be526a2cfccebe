import { ChallengeRequest } from '../../../common/contract/challenges.ts';
import { NodeId } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { requireSelf } from '../require-self.ts';
import type { Challenges } from './service.ts';

/** The route by which a box has its certificate's challenge published; its private key never leaves it. */
export function challengeRoutes(app: App, { challenges }: { challenges: Challenges }): void {
  app.put(
    '/v1/nodes/:id/challenge',
    {
      config: { credential: ['node:appliance', 'node:origin'] },
      schema: {
        summary: 'TXT records of _acme-challenge.<node> in the steering zone, for an hour (ACME DNS-01)',
        tags: ['nodes'],
        params: Type.Object({ id: NodeId }),
        body: ChallengeRequest,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      requireSelf(request.caller, id);
      challenges.publish(id, request.body.values);
      return reply.code(204).send(null);
    },
  );
}
