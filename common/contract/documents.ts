import { NodeChallenge } from './certificates.ts';
import { Type, type Static, type TSchema } from './type.ts';
import {
  BaseUrl,
  FileName,
  IpAddress,
  IpPrefix,
  NodeId,
  PlaceName,
  PublicJwk,
  Sequence,
  SizeBytes,
  Thumbprint,
  TimeMs,
  TimeZone,
} from './primitives.ts';
import { SteeringPeer, steeringNodesMax } from './health.ts';
import { maintenanceMax, MaintenanceWindow } from './maintenance.ts';
import { WithdrawnFiles } from './withdrawals.ts';

/** JOSE `typ` of each kind of signed document. */
export const documentTypes = {
  keyset: 'nearcast-keyset',
  fillManifest: 'nearcast-fill-manifest',
  steeringMap: 'nearcast-steering-map',
  revocations: 'nearcast-revocations',
  /** These are signed by a node's own key, unlike the others. */
  servedReport: 'nearcast-served-report',
  withdrawalReceipt: 'nearcast-withdrawal-receipt',
  peerView: 'nearcast-peer-view',
} as const;
export type DocumentType = (typeof documentTypes)[keyof typeof documentTypes];

/** The payload every signed document has (ADR 6): audience, sequence and notAfter around a body. */
export function documentPayload<T extends TSchema>(body: T) {
  return Type.Object({
    version: Type.Literal(1),
    audience: Type.String({ maxLength: 64 }),
    sequence: Sequence,
    issuedAtMs: TimeMs,
    notAfterMs: TimeMs,
    body,
  });
}

export type DocumentPayload<T> = {
  version: 1;
  audience: string;
  sequence: number;
  issuedAtMs: number;
  notAfterMs: number;
  body: T;
};

export const KeyUse = Type.Union([Type.Literal('documents'), Type.Literal('tokens'), Type.Literal('access')]);
export type KeyUse = Static<typeof KeyUse>;

/** The keys that the root vouches for. */
export const Keyset = Type.Object({
  keys: Type.Array(
    Type.Object({
      kid: Thumbprint,
      use: KeyUse,
      jwk: PublicJwk,
      notBeforeMs: TimeMs,
      notAfterMs: TimeMs,
      revoked: Type.Boolean(),
    }),
    { maxItems: 64 },
  ),
});
export type Keyset = Static<typeof Keyset>;

const MinuteOfDay = Type.Integer({ minimum: 0, maximum: 1439 });

/**
 * When a box may fill: wall-clock minutes of its site's time zone. An end before the start is over midnight. All
 * boxes of a site begin together, moved by at most `jitterMinutes` either way.
 */
export const FillWindow = Type.Object({
  startMinute: MinuteOfDay,
  endMinute: MinuteOfDay,
  timeZone: TimeZone,
  jitterMinutes: Type.Integer({ minimum: 0, maximum: 240 }),
});
export type FillWindow = Static<typeof FillWindow>;

/** What one appliance must hold. `files` in the order in which they are wanted. */
export const FillManifest = Type.Object({
  appliance: NodeId,
  files: Type.Array(
    Type.Object({
      file: FileName,
      ext: Type.String({ pattern: '^[a-z0-9]{2,6}$' }),
      sizeBytes: SizeBytes,
      bundle: FileName,
      /** To be filled at once, in the window or out of it. */
      urgent: Type.Optional(Type.Literal(true)),
    }),
    { maxItems: 2_000_000 },
  ),
  roster: Type.Array(Type.Object({ id: NodeId, url: BaseUrl }), {
    maxItems: 10_000,
  }),
  capBytesPerSecond: Type.Optional(SizeBytes),
  /** What it may take from some nodes together: those of a site to which the link is capped. */
  links: Type.Optional(
    Type.Array(
      Type.Object({
        from: PlaceName,
        nodes: Type.Array(NodeId, { maxItems: 10_000 }),
        capBytesPerSecond: SizeBytes,
      }),
      { maxItems: 64 },
    ),
  ),
  /** Absent: at any time. */
  window: Type.Optional(FillWindow),
  /** The box's; where in its jitter the window lies follows from it, so that all boxes of a site begin together. */
  site: Type.Optional(PlaceName),
});
export type FillManifest = Static<typeof FillManifest>;

/** Sessions and bundles whose tokens must be refused, and files that must be deleted. */
export const Revocations = Type.Object({
  sessions: Type.Array(Type.String({ pattern: '^[0-9a-f]{32}$' }), {
    maxItems: 100_000,
  }),
  bundles: Type.Array(FileName, { maxItems: 100_000 }),
  withdrawals: Type.Optional(Type.Array(WithdrawnFiles, { maxItems: 1000 })),
});
export type Revocations = Static<typeof Revocations>;

/** Revokes tokens that are out; no token lives longer than a day, so neither does a revocation. */
export const RevocationRequest = Type.Object(
  {
    sessions: Type.Optional(Type.Array(Type.String({ pattern: '^[0-9a-f]{32}$' }), { maxItems: 1000 })),
    bundles: Type.Optional(Type.Array(FileName, { maxItems: 1000 })),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type RevocationRequest = Static<typeof RevocationRequest>;

/** Sequence of the signed revocations that hold the new ones. */
export const RevocationReply = Type.Object({ sequence: Sequence });

export const RouteClass = Type.Union([
  Type.Literal('embedded'),
  Type.Literal('private'),
  Type.Literal('public'),
]);
export type RouteClass = Static<typeof RouteClass>;

/** A prefix that an appliance reaches, as BGP describes it. */
export const Route = Type.Object({
  prefix: IpPrefix,
  asPathLength: Type.Integer({ minimum: 0, maximum: 255 }),
  med: Type.Optional(Type.Integer({ minimum: 0, maximum: 4_294_967_295 })),
  class: RouteClass,
});
export type Route = Static<typeof Route>;

/** A place on earth in degrees. */
export const Place = Type.Object({
  latitude: Type.Number({ minimum: -90, maximum: 90 }),
  longitude: Type.Number({ minimum: -180, maximum: 180 }),
});
export type Place = Static<typeof Place>;

/** A table that travels apart from the map, named by the SHA-256 of its canonical bytes (ADR 17). */
export const RouteTableRef = Type.Object({
  name: FileName,
  count: Type.Integer({ minimum: 0, maximum: 2_000_000 }),
  /** It has routes that are not of the class `embedded`. */
  open: Type.Boolean(),
});
export type RouteTableRef = Static<typeof RouteTableRef>;

export const SteeringAppliance = Type.Object({
  id: NodeId,
  role: Type.Union([Type.Literal('appliance'), Type.Literal('origin')]),
  site: PlaceName,
  cluster: PlaceName,
  url: BaseUrl,
  /** By which steering knows that it is this node that opens a stream. */
  key: Type.Optional(PublicJwk),
  addresses: Type.Array(IpAddress, { maxItems: 16 }),
  place: Type.Optional(Place),
  weight: Type.Number({ minimum: 0 }),
  headroom: Type.Number({ minimum: 0, maximum: 1 }),
  state: Type.Union([Type.Literal('ready'), Type.Literal('draining'), Type.Literal('lost')]),
  /** Clock skew, errors …: reasons why the node says it is not well. */
  reasons: Type.Array(Type.String({ maxLength: 200 }), { maxItems: 16 }),
  /** Its route table; absent where it has no routes. */
  routeTable: Type.Optional(RouteTableRef),
  /** It learns routes from its network: while it has none (a BGP session is lost), it serves nobody. Others without routes serve whom no route reaches. */
  routeFeed: Type.Optional(Type.Literal(true)),
  /** It fetches what it does not hold, so it may be a way to any bundle. */
  mayFetch: Type.Optional(Type.Literal(true)),
  /** It leads viewers on to who holds what it does not, so it may be a way to a bundle of which it holds a part. */
  mayRedirect: Type.Optional(Type.Literal(true)),
});
export type SteeringAppliance = Static<typeof SteeringAppliance>;

/** Who holds what, who reaches whom, how healthy. */
export const SteeringMap = Type.Object({
  appliances: Type.Array(SteeringAppliance, { maxItems: 10_000 }),
  /** Who holds which bundle whole, and who most of what is planned of it there: named by the SHA-256 of its canonical form, which has bits for each of `appliances`. */
  holdings: Type.Optional(
    Type.Object({ name: FileName, count: Type.Integer({ minimum: 0, maximum: 1_000_000 }) }),
  ),
  revocations: Revocations,
  /** Every steering node, by id. */
  steering: Type.Optional(Type.Array(SteeringPeer, { maxItems: steeringNodesMax })),
  /** What nodes show to ACME servers; only nodes that have something are in it. */
  challenges: Type.Optional(Type.Array(NodeChallenge, { maxItems: 10_000 })),
  /** What is planned and not over yet. */
  maintenance: Type.Optional(Type.Array(MaintenanceWindow, { maxItems: maintenanceMax })),
});
export type SteeringMap = Static<typeof SteeringMap>;
