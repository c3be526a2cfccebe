import { RevocationReply, RevocationRequest } from '../../../common/contract/documents.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { answerPoll, signedAnswers, SignedPollQuery, type SignedPoll } from '../signed-poll.ts';
import type { SteeringMaps } from './service.ts';

export interface SteeringMapRoutesOptions {
  maps: SteeringMaps;
  /** Aborted when draining begins: long polls end with it. */
  draining: AbortSignal;
}

/** Routes of the steering map and the revocations: long polls, which are the push. */
export function steeringMapRoutes(app: App, { maps, draining }: SteeringMapRoutesOptions): void {
  app.get(
    '/v1/steering-map',
    {
      config: { credential: ['node:steering'] },
      schema: {
        summary:
          'The signed steering map, once there is one newer than `after` (a long poll; 204 when there is none)',
        tags: ['steering'],
        querystring: SignedPollQuery,
        response: signedAnswers,
      },
    },
    async (request, reply) => {
      const poll = (want: SignedPoll) => maps.map(want);
      return answerPoll({ request, reply }, request.query, { draining, poll });
    },
  );
  app.get(
    '/v1/revocations',
    {
      config: { credential: ['node'] },
      schema: {
        summary:
          'The signed revocations, once there are some newer than `after` (a long poll; 204 when there are none)',
        tags: ['steering'],
        querystring: SignedPollQuery,
        response: signedAnswers,
      },
    },
    async (request, reply) => {
      const poll = (want: SignedPoll) => maps.revocations(want);
      return answerPoll({ request, reply }, request.query, { draining, poll });
    },
  );
  app.post(
    '/v1/revocations',
    {
      config: { credential: ['operator'] },
      schema: {
        summary: 'Revokes the tokens of sessions or of bundles that are out',
        tags: ['steering'],
        body: RevocationRequest,
        response: { 200: RevocationReply },
      },
    },
    async (request) => {
      const { sequence } = await maps.revoke(request.body);
      return { sequence };
    },
  );
}
