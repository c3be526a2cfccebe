import { Type, type Static } from './type.ts';
import { Place } from './documents.ts';
import { PathwayHealth, PeerStatus, Sight, steeringNodesMax } from './health.ts';
import { BaseUrl, FileName, IpAddress, NodeId, PlaceName, Sequence } from './primitives.ts';

/** `client` is the caller's own address where it is left out; a player's token may name no other. */
export const RankRequest = Type.Object(
  { client: Type.Optional(IpAddress), bundle: FileName },
  { additionalProperties: false },
);
export type RankRequest = Static<typeof RankRequest>;

/** One way to a playback, best first in a ranking. */
export const Pathway = Type.Object({
  id: NodeId,
  url: BaseUrl,
  site: PlaceName,
  cluster: PlaceName,
  role: Type.Union([Type.Literal('appliance'), Type.Literal('origin')]),
});
export type Pathway = Static<typeof Pathway>;

export const RankReply = Type.Object({
  mapSequence: Sequence,
  pathways: Type.Array(Pathway, { maxItems: 8 }),
});
export type RankReply = Static<typeof RankReply>;

/** The filters in the order of algorithms: each has a name that explain prints. */
export const FilterName = Type.Union([
  Type.Literal('no-route'),
  Type.Literal('address-family'),
  Type.Literal('not-held'),
  Type.Literal('draining'),
  Type.Literal('stale'),
  Type.Literal('unhealthy'),
  Type.Literal('no-headroom'),
]);
export type FilterName = Static<typeof FilterName>;

/** Why steering answered what it did. */
export const ExplainReply = Type.Object({
  client: IpAddress,
  /** Absent where it was asked for none, as DNS is. */
  bundle: Type.Optional(FileName),
  mapSequence: Sequence,
  mapAgeMs: Type.Integer({ minimum: 0 }),
  /** Longest prefix that matched the client, or null where none did. */
  matchedPrefix: Type.Union([Type.String(), Type.Null()]),
  /** Where the client is taken to be where none did: by the file of places, else the configured one. */
  place: Type.Optional(Type.Union([Place, Type.Null()])),
  candidates: Type.Array(
    Type.Object({
      id: NodeId,
      site: PlaceName,
      cluster: PlaceName,
      /** null when it survived. */
      removedBy: Type.Union([FilterName, Type.Null()]),
      detail: Type.String(),
      keys: Type.Object({
        prefixLength: Type.Integer(),
        class: Type.String(),
        asPathLength: Type.Integer(),
        med: Type.Integer(),
        distanceKm: Type.Union([Type.Number(), Type.Null()]),
        rendezvous: Type.Number(),
      }),
      rank: Type.Union([Type.Integer(), Type.Null()]),
      /** The key by which it stands behind the one before it. */
      decidedBy: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
  pathways: Type.Array(Pathway),
});
export type ExplainReply = Static<typeof ExplainReply>;

/** HLS and DASH content steering's reply (draft-pantos-content-steering; ETSI TS 103 998). */
export const ContentSteeringReply = Type.Object({
  VERSION: Type.Literal(1),
  TTL: Type.Integer({ minimum: 1 }),
  'RELOAD-URI': Type.String(),
  'PATHWAY-PRIORITY': Type.Array(Type.String(), { minItems: 1 }),
});
export type ContentSteeringReply = Static<typeof ContentSteeringReply>;

export const SteeringStatus = Type.Object({
  mapSequence: Sequence,
  mapAgeMs: Type.Integer({ minimum: 0 }),
  /** The map is past its notAfter; it answers on until a newer one comes. */
  mapExpired: Type.Boolean(),
  controlPlane: Type.Union([Type.Literal('connected'), Type.Literal('lost')]),
  /** How this node sees the others, and who of them it sees; it is out of service while it is isolated. */
  sight: Type.Optional(Sight),
  peers: Type.Optional(Type.Array(PeerStatus, { maxItems: steeringNodesMax })),
  /** Every box looks dead, so the last good state is shown. */
  holding: Type.Optional(Type.Boolean()),
  pathways: Type.Array(PathwayHealth),
});
export type SteeringStatus = Static<typeof SteeringStatus>;
