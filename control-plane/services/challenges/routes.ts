import { ChallengeReply, ChallengeRequest } from '../../../common/contract/challenges.ts';
import { NodeId } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { callerGone } from '../../../common/runtime/http-server.ts';
import { requireSelf } from '../require-self.ts';
import type { Challenges } from './service.ts';

export interface ChallengeRoutesOptions {
  challenges: Challenges;
  /** Waits until steering has a map that shows this node as it is now. Errors: UNAVAILABLE. */
  shown: (node: string, signal: AbortSignal) => Promise<ChallengeReply>;
}

/** The route by which a box has its certificate's challenge published; its private key never leaves it. */
export function challengeRoutes(app: App, { challenges, shown }: ChallengeRoutesOptions): void {
  app.put(
    '/v1/nodes/:id/challenge',
    {
      config: { credential: ['node:appliance', 'node:origin'] },
      schema: {
        summary:
          'TXT records of _acme-challenge.<node> in the steering zone, for an hour (ACME DNS-01); answers once steering shows them',
        tags: ['nodes'],
        params: Type.Object({ id: NodeId }),
        body: ChallengeRequest,
        response: { 200: ChallengeReply },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      requireSelf(request.caller, id);
      challenges.publish(id, request.body.values);
      return shown(id, callerGone(request, reply));
    },
  );
}
