import { RevocationReply, RevocationRequest } from '../../../common/contract/documents.ts';
import { FileName } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
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
      const { caller } = request;
      if (caller.kind === 'node') maps.held(caller.nodeId, request.query.after ?? 0);
      const poll = (want: SignedPoll) => maps.map(want);
      return answerPoll({ request, reply }, request.query, { draining, poll });
    },
  );
  tableRoutes(app, maps);
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

/** Tables never change, since they are named by what is in them. */
function tableRoutes(app: App, maps: SteeringMaps): void {
  const params = Type.Object({ name: FileName });
  const response = { 200: Type.Unsafe<Uint8Array>({ type: 'string', format: 'binary' }) };
  const tags = ['steering'];
  app.get(
    '/v1/route-tables/:name',
    {
      config: { credential: ['node:steering'] },
      schema: {
        summary: 'A route table that the steering map names (zstd), or what makes it of another',
        tags,
        params,
        querystring: Type.Object({ from: Type.Optional(FileName) }, { additionalProperties: false }),
        response,
      },
    },
    async (request, reply) => {
      const packed = await maps.routeTable(request.params.name, request.query.from);
      return reply.type('application/zstd').send(packed);
    },
  );
  app.get(
    '/v1/holdings/:name',
    {
      config: { credential: ['node:steering'] },
      schema: { summary: 'The holdings that the steering map names (zstd)', tags, params, response },
    },
    async (request, reply) => reply.type('application/zstd').send(await maps.holdings(request.params.name)),
  );
}
