import { Type, type Static } from './type.ts';
import { Place, Route } from './documents.ts';
import { SteeringNodes } from './health.ts';
import { ServedSummary } from './served.ts';
import {
  BaseUrl,
  FileName,
  Fraction,
  IpAddress,
  NodeId,
  NodeRole,
  PlaceName,
  Sequence,
  SizeBytes,
  TimeMs,
} from './primitives.ts';

/** The state of one file on its way to an appliance. */
export const FillItem = Type.Object({
  file: FileName,
  state: Type.Union([
    Type.Literal('wanted'),
    Type.Literal('filling'),
    Type.Literal('held'),
    Type.Literal('failed'),
  ]),
  sizeBytes: SizeBytes,
  doneBytes: SizeBytes,
  /** Problem code of the last failure. */
  reason: Type.Optional(Type.String({ maxLength: 200 })),
});
export type FillItem = Static<typeof FillItem>;

/** Sent by an appliance or origin every 2 s; renews its lease of 5 s. */
export const Heartbeat = Type.Object(
  {
    /** Grows by one with every heartbeat of one process. */
    sequence: Sequence,
    /** New with every start of the process. */
    incarnation: Type.String({ minLength: 8, maxLength: 64 }),
    sentAtMs: TimeMs,
    state: Type.Union([Type.Literal('ready'), Type.Literal('draining')]),
    url: BaseUrl,
    addresses: Type.Array(IpAddress, { maxItems: 16 }),
    place: Type.Optional(Place),
    /** Of boxes from before route tables, when their routes have changed and in the first heartbeat of an incarnation. */
    routes: Type.Optional(Type.Array(Route, { maxItems: 100_000 })),
    /** Whether it learns routes at all, however many it has now; absent where that is to be judged by what it has told so far. */
    routeFeed: Type.Optional(Type.Boolean()),
    capacityBytes: SizeBytes,
    usedBytes: SizeBytes,
    /** What its line carries; absent where that is not known. */
    lineBytesPerSecond: Type.Optional(SizeBytes),
    /** It fetches what it does not hold. */
    mayFetch: Type.Optional(Type.Literal(true)),
    /** It leads viewers on to who holds what it does not. */
    mayRedirect: Type.Optional(Type.Literal(true)),
    /** Share of the serving capacity that is free. */
    headroom: Fraction,
    /** How many requests are being answered now. */
    liveRequests: Type.Integer({ minimum: 0 }),
    /** How many viewers' sessions asked for something lately. */
    liveSessions: Type.Optional(Type.Integer({ minimum: 0 })),
    /** In how many milliseconds a drain is over; absent while there is none, or where it cannot be told. */
    drainEtaMs: Type.Optional(Type.Integer({ minimum: 0 })),
    /** Full when `full` is set (first heartbeat, or when asked), else what changed since the last acknowledged one. */
    holdings: Type.Object({
      full: Type.Boolean(),
      added: Type.Array(FileName, { maxItems: 500_000 }),
      removed: Type.Array(FileName, { maxItems: 500_000 }),
    }),
    /** Of boxes from before served reports; passed over. */
    servedBytes: Type.Optional(
      Type.Array(Type.Object({ file: FileName, bytes: SizeBytes }), { maxItems: 100_000 }),
    ),
    /** Sequences of the signed documents in force; 0 for none. */
    fillManifestSequence: Sequence,
    revocationsSequence: Sequence,
    /** Problem codes of what is wrong on the box, for people and steering. */
    reasons: Type.Array(Type.String({ maxLength: 200 }), { maxItems: 16 }),
  },
  { additionalProperties: false },
);
export type Heartbeat = Static<typeof Heartbeat>;

export const HeartbeatReply = Type.Object({
  leaseMs: Type.Integer({ minimum: 1 }),
  nowMs: TimeMs,
  fillManifestSequence: Sequence,
  revocationsSequence: Sequence,
  /** The control plane has lost track: send everything in the next heartbeat. */
  fullWanted: Type.Boolean(),
  drainWanted: Type.Boolean(),
  /** Where to keep a stream to. */
  steering: Type.Optional(SteeringNodes),
  /** The name of the route table that is held of it; absent: none. */
  routeTable: Type.Optional(FileName),
});
export type HeartbeatReply = Static<typeof HeartbeatReply>;

/** A node as operators see it. */
export const NodeView = Type.Object({
  id: NodeId,
  role: NodeRole,
  site: Type.Optional(PlaceName),
  cluster: Type.Optional(PlaceName),
  state: Type.Union([
    Type.Literal('enrolled'),
    Type.Literal('ready'),
    Type.Literal('draining'),
    Type.Literal('lost'),
    Type.Literal('revoked'),
  ]),
  /** Why it is in this state, in words. */
  stateReason: Type.String(),
  stateSinceMs: TimeMs,
  drainWanted: Type.Boolean(),
  url: Type.Optional(BaseUrl),
  addresses: Type.Array(IpAddress),
  routeCount: Type.Integer({ minimum: 0 }),
  capacityBytes: SizeBytes,
  usedBytes: SizeBytes,
  headroom: Fraction,
  liveRequests: Type.Integer({ minimum: 0 }),
  /** Absent where the node does not say. */
  liveSessions: Type.Optional(Type.Integer({ minimum: 0 })),
  /** In how many milliseconds its drain is over, as its last report estimated. */
  drainEtaMs: Type.Optional(Type.Integer({ minimum: 0 })),
  heldFiles: Type.Integer({ minimum: 0 }),
  wantedFiles: Type.Integer({ minimum: 0 }),
  missingFiles: Type.Integer({ minimum: 0 }),
  reasons: Type.Array(Type.String()),
  /** Absent until it has reported what it serves. */
  served: Type.Optional(ServedSummary),
  lastSeenMs: Type.Optional(TimeMs),
});
export type NodeView = Static<typeof NodeView>;

export const NodeList = Type.Object({ nodes: Type.Array(NodeView) });
export const DrainRequest = Type.Object({ drain: Type.Boolean() }, { additionalProperties: false });
