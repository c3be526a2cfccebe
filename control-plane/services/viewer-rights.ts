import type { FastifyRequest } from 'fastify';
import { IpAddress, ObjectId } from '../../common/contract/primitives.ts';
import { Viewer } from '../../common/contract/release.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import { defineInterface, type Calls } from '../apart/interface.ts';

/** Who watches: an account, by a profile if one is named, from where. */
const Watcher = Type.Object({
  accountId: Type.String({ maxLength: 200 }),
  profileId: Type.Optional(ObjectId),
  /** What showing the profile's PIN gave. */
  unlock: Type.Optional(Type.String({ maxLength: 200 })),
  client: IpAddress,
});
type Watcher = Static<typeof Watcher>;

/** What limits what viewers may see, for whoever shows titles. */
export const viewerRights = defineInterface({
  service: 'users',
  name: 'viewer-rights',
  verbs: {
    /**
     * Where a viewer is, and up to what age it may watch: as its profile says; without one as the least limited profile of the account
     * says that asks for no PIN, which anybody could name. Errors: PROFILE_UNKNOWN, PROFILE_LOCKED.
     */
    of: { ask: Watcher, answer: Viewer, isRepeatable: true },
  },
});
export type ViewerRights = Calls<typeof viewerRights>;

/** What limits the caller of a route: nothing for operators, who are undefined. Errors: those of `ViewerRights.of`. */
export async function viewerOf(
  rights: ViewerRights,
  request: FastifyRequest,
  profileId: string | undefined,
): Promise<Viewer | undefined> {
  const { caller } = request;
  if (caller.kind !== 'access' || caller.role !== 'viewer') return undefined;
  return rights.of({ accountId: caller.sub, client: clientOf(request), ...watcherOf(request, profileId) });
}

/** The profile that a request names, and what opens it. */
export function watcherOf(
  { headers }: Pick<FastifyRequest, 'headers'>,
  profileId: string | undefined,
): Pick<Watcher, 'profileId' | 'unlock'> {
  const { 'profile-unlock': unlock } = headers;
  return {
    ...(profileId !== undefined && { profileId }),
    ...(typeof unlock === 'string' && { unlock: unlock.slice(0, 200) }),
  };
}

/** The address that a request comes from, IPv4 as such where the socket is of both. */
export function clientOf({ ip }: Pick<FastifyRequest, 'ip'>): string {
  return ip.replace(/^::ffff:(?=\d+\.)/i, '');
}
