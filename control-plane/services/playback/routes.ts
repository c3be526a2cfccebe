import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from '../../../common/contract/type.ts';
import { PlaybackRequest, PlaybackSession } from '../../../common/contract/playback.ts';
import { acceptedLanguages } from '../../../common/core/language.ts';
import { parseAddress } from '../../../common/core/ip-address.ts';
import { assert, coded } from '../../../common/runtime/errors.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import { clientOf, viewerOf, watcherOf, type ViewerRights } from '../viewer-rights.ts';
import type { ManifestKind } from './manifests.ts';
import type { Playback, PlaybackOrder, Watcher } from './service.ts';

const sessionRate = { max: 100, timeWindow: 1000 };
const params = Type.Object({ token: Type.String() });
const tags = ['playback'];

const manifests = [
  { kind: 'hls', file: 'master.m3u8', mediaType: 'application/vnd.apple.mpegurl' },
  { kind: 'dash', file: 'manifest.mpd', mediaType: 'application/dash+xml' },
] as const satisfies { kind: ManifestKind; file: string; mediaType: string }[];

/** Routes of playback sessions and their manifests. */
export function playbackRoutes(
  app: App,
  { playback, rights }: { playback: Playback; rights: ViewerRights },
): void {
  app.post(
    '/v1/playback-sessions',
    {
      config: { credential: ['viewer', 'operator'], rateLimit: sessionRate },
      schema: {
        tags,
        summary: 'Start a playback: standard HLS and DASH URLs, ranked for the caller',
        body: PlaybackRequest,
        response: { 201: PlaybackSession },
      },
    },
    async (request, reply) => {
      const { titleId, clientAddress, profileId, capabilities } = request.body;
      const client = rankedFor(request, clientAddress);
      const viewer = await viewerOf(rights, request, profileId);
      const watcher = profileId === undefined ? undefined : profileOf(request, profileId);
      const languages = acceptedLanguages(request.headers['accept-language']);
      const order = {
        titleId,
        client,
        subscriber: subscriberOf(request),
        viewer,
        watcher,
        languages,
        capabilities,
      };
      return await reply.code(201).send(await playback.createSession(order));
    },
  );
  for (const { kind, file, mediaType } of manifests) {
    app.get(
      `/v1/playback/:token/${file}`,
      {
        config: { credential: ['delivery:play'] },
        schema: {
          tags,
          summary: `The ${kind.toUpperCase()} manifest of a session`,
          params,
          produces: [mediaType],
        },
      },
      async (request, reply): Promise<FastifyReply> => {
        const { caller } = request;
        assert(caller.kind === 'delivery', 'the route takes delivery tokens only');
        const token = { playToken: request.params.token, claims: caller.claims };
        return await reply.type(mediaType).send(await playback.manifest(kind, token));
      },
    );
  }
}

/** Whose plan counts: a viewer's, while operators watch whatever there is. A device is where somebody has signed in, else an address. */
function subscriberOf(request: FastifyRequest): PlaybackOrder['subscriber'] {
  const { caller } = request;
  assert(caller.kind === 'access', 'the route takes access tokens only');
  const { role, sub, sid } = caller;
  return role === 'viewer' ? { account: sub, device: sid ?? clientOf(request) } : undefined;
}

function profileOf(request: FastifyRequest, profileId: string): Watcher {
  assert(request.caller.kind === 'access', 'the route takes access tokens only');
  return { ...watcherOf(request, profileId), profileId, accountId: request.caller.sub };
}

/** The address to rank for: the caller's own, or where an operator asks, another. */
function rankedFor(request: FastifyRequest, wanted: string | undefined): string {
  const { caller } = request;
  if (wanted === undefined) return clientOf(request);
  if (caller.kind !== 'access' || (caller.role !== 'operator' && caller.role !== 'admin')) {
    throw coded('FORBIDDEN', 'a playback is ranked for your own address: leave out clientAddress');
  }
  if (parseAddress(wanted) === undefined)
    throw coded('INVALID', `clientAddress: ${wanted} is not an IP address`);
  return wanted;
}
