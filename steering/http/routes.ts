import { Type } from '../../common/contract/type.ts';
import type { FastifyRequest } from 'fastify';
import { RankRequest, type RankReply } from '../../common/contract/steering.ts';
import { parseFilePath } from '../../common/core/file-path.ts';
import { sameAddress, type Address } from '../../common/core/ip-address.ts';
import type { DeliveryClaims } from '../../common/core/tokens/delivery-token.ts';
import { coded, isCoded, toCoded } from '../../common/runtime/errors.ts';
import type { App } from '../../common/runtime/http-app.ts';
import { sendProblem } from '../../common/runtime/http-errors.ts';
import type { Brain } from '../brain.ts';
import { pathwayOf } from '../core/explain.ts';
import type { ViewAppliance } from '../core/view.ts';
import type { ClientAddressOf } from '../../common/runtime/client-address.ts';
import { mustParse, noMap } from './refusals.ts';
import { answerSteer, refuseRevoked, senderAddress, steerPath, type SteerOptions } from './steer-answer.ts';

const TokenParams = Type.Object({ token: Type.String({ maxLength: 2048 }) });
/** Players come back when told to, and many stand behind one address: they are not counted against each other. */
const PLAYERS_RATE = { max: 20_000, timeWindow: 1000 };

/** Registers steering's routes on a server whose credential verifiers know access and delivery tokens. */
export function addSteeringRoutes(app: App, options: SteerOptions): void {
  addRank(app, options);
  addSteer(app, options);
  addGo(app, options);
}

function addRank(app: App, options: SteerOptions): void {
  app.post(
    '/v1/rank',
    {
      config: { credential: ['delivery:play', 'service', 'operator'], rateLimit: PLAYERS_RATE },
      schema: { body: RankRequest, summary: 'The ways to a bundle for a client, best first' },
      bodyLimit: 4096,
    },
    (request): RankReply => {
      const { bundle } = request.body;
      const client = rankedClient(request, options.clientAddressOf);
      const claims = claimsOf(request);
      if (claims !== undefined) {
        refuseRevoked(options.brain, claims);
        if (claims.bundle !== bundle) throw coded('TOKEN_FOREIGN', 'the token is for another bundle');
      }
      const ways = mustRank(options.brain, { client, bundle });
      return { mapSequence: options.brain.content().serial, pathways: ways.map(pathwayOf) };
    },
  );
}

/** A player may ask for itself only; services and operators for anyone. */
function rankedClient(
  request: FastifyRequest<{ Body: RankRequest }>,
  clientAddressOf: ClientAddressOf,
): Address {
  const { client: text } = request.body;
  const own = senderAddress(request.raw, clientAddressOf);
  if (text === undefined) return own;
  const client = mustParse(text);
  if (request.caller.kind === 'delivery' && !sameAddress(client, own)) {
    throw coded('FORBIDDEN', 'a player is ranked for its own address: leave out client');
  }
  return client;
}

function addSteer(app: App, options: SteerOptions): void {
  app.get(
    `${steerPath}:token`,
    {
      config: { credential: ['delivery:steer'], rateLimit: PLAYERS_RATE },
      // Query parameters differ by player, in lists and quotes: none is refused, and none must be there.
      schema: { params: TokenParams, summary: 'Content steering for HLS and DASH' },
      errorHandler: (error, request, reply) => {
        void sendProblem(endOrFail(error), request, reply);
      },
    },
    (request, reply) => {
      const { token } = request.params;
      const query = request.query as Record<string, unknown>;
      const { headers, body } = answerSteer(options, {
        token,
        claims: mustClaims(request),
        query,
        raw: request.raw,
      });
      return reply.headers(headers).send(body);
    },
  );
}

/**
 * A token that has expired or was revoked will never be good again: 410 makes players stop asking, and the playback goes
 * on with what its manifest says. All else may mend (keys on their way), so players are left to ask again.
 */
function endOrFail(error: unknown) {
  if (isCoded(error, 'TOKEN_EXPIRED', 'TOKEN_REVOKED')) {
    return coded('STEERING_ENDED', { detail: error.detail, cause: error });
  }
  // hls.js gives up steering for good at a 429.
  if (isCoded(error, 'RATE_LIMITED')) return coded('UNAVAILABLE', { cause: error, retryAfterMs: 1000 });
  return toCoded(error);
}

function addGo(app: App, options: SteerOptions): void {
  app.get(
    '/v1/go/:token/:file',
    {
      config: { credential: ['delivery:play'], rateLimit: PLAYERS_RATE },
      schema: {
        params: Type.Object({ ...TokenParams.properties, file: Type.String({ maxLength: 80 }) }),
        summary: 'Redirects to the file on the best way',
      },
    },
    (request, reply) => {
      const { token, file } = request.params;
      const claims = mustClaims(request);
      refuseRevoked(options.brain, claims);
      const path = `/v1/${token}/${file}`;
      if (parseFilePath(path) === undefined)
        throw coded('NOT_FOUND', 'a file is <64 hex digits>.<extension>');
      const client = senderAddress(request.raw, options.clientAddressOf);
      const [best] = mustRank(options.brain, { client, bundle: claims.bundle ?? '' });
      if (best === undefined) throw coded('NO_PATHWAY');
      return reply.redirect(`${best.url.replace(/\/$/, '')}${path}`, 302);
    },
  );
}

function mustRank(brain: Brain, query: { client: Address; bundle: string }): readonly ViewAppliance[] {
  const ways = brain.rank(query);
  if (ways === undefined) throw noMap();
  if (ways.length === 0) throw coded('NO_PATHWAY', 'nothing that holds it is well');
  return ways;
}

function claimsOf(request: FastifyRequest): DeliveryClaims | undefined {
  return request.caller.kind === 'delivery' ? request.caller.claims : undefined;
}

function mustClaims(request: FastifyRequest): DeliveryClaims {
  const claims = claimsOf(request);
  if (claims === undefined) throw coded('TOKEN_INVALID', 'this route takes a delivery token in its path');
  return claims;
}
