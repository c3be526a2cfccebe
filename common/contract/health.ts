import { Type, type Static } from './type.ts';
import { BaseUrl, Fraction, NodeId, PublicJwk, Sequence, TimeMs } from './primitives.ts';

/** So many steering nodes are told of: each of them asks all others, and every box keeps a stream to each. */
export const steeringNodesMax = 16;
/** A line of a box's stream, its end included. */
export const reportBytesMax = 8192;
/** Signed view of a steering node: ten thousand boxes with a reason each. */
export const peerViewBytesMax = 4 * 1024 * 1024;

/** A steering node as the map tells others of it: who signs its view, and where that is fetched. */
export const SteeringPeer = Type.Object({
  id: NodeId,
  /** Absent until it has said where it is. */
  url: Type.Optional(BaseUrl),
  key: PublicJwk,
});
export type SteeringPeer = Static<typeof SteeringPeer>;

/** Where a steering node is reached by boxes and by others of its kind. */
export const SteeringAddress = Type.Object({ url: BaseUrl }, { additionalProperties: false });
export type SteeringAddress = Static<typeof SteeringAddress>;

/** Steering nodes to which a box keeps its streams. */
export const SteeringNodes = Type.Array(Type.Object({ id: NodeId, url: BaseUrl }), {
  maxItems: steeringNodesMax,
});
export type SteeringNodes = Static<typeof SteeringNodes>;

const Count = Type.Integer({ minimum: 0 });

/** One line of the stream that a box keeps to each steering node: every second, and at once when something has changed. */
export const BoxReport = Type.Object({
  sentAtMs: TimeMs,
  state: Type.Union([Type.Literal('ready'), Type.Literal('draining')]),
  /** In how many milliseconds a drain is over, where that can be told. */
  drainEtaMs: Type.Optional(Count),
  /** Share of the serving capacity that is free. */
  headroom: Fraction,
  /** What the box refuses, from nothing to all. */
  level: Type.Union([
    Type.Literal('normal'),
    Type.Literal('shed-fill'),
    Type.Literal('shed-new'),
    Type.Literal('shed-all'),
  ]),
  liveRequests: Count,
  liveSessions: Count,
  connections: Count,
  /** Requests that failed by its own fault within the last minute. */
  failures: Count,
  /** How many of its disks serve, and how many there are; both 0 at an origin. */
  disks: Type.Object({ serving: Count, all: Count }),
  /** Problem codes of what is wrong on the box. */
  reasons: Type.Array(Type.String({ maxLength: 200 }), { maxItems: 16 }),
});
export type BoxReport = Static<typeof BoxReport>;

/** What one steering node makes of a box over one address family. `damped`: it answers, but has come and gone too often. */
export const FamilyVote = Type.Union([
  Type.Literal('up'),
  Type.Literal('down'),
  Type.Literal('damped'),
  Type.Literal('unknown'),
]);
export type FamilyVote = Static<typeof FamilyVote>;

/** What a steering node makes of one box. A family in which the box has no address is left out. */
export const HealthVote = Type.Object({
  id: NodeId,
  v4: Type.Optional(FamilyVote),
  v6: Type.Optional(FamilyVote),
  /** The probe was answered by a box that drains. */
  draining: Type.Optional(Type.Literal(true)),
  /** What the box said last, while its stream is alive. */
  said: Type.Optional(
    Type.Object({
      atMs: TimeMs,
      draining: Type.Boolean(),
      headroom: Fraction,
      /** What it says is wrong with it, where that keeps viewers away. */
      unwell: Type.Optional(Type.String({ maxLength: 200 })),
    }),
  ),
  /** Why it is not up, in words. */
  why: Type.Optional(Type.String({ maxLength: 200 })),
});
export type HealthVote = Static<typeof HealthVote>;

/** Body of the view that a steering node signs with its own key and that the others fetch. */
export const PeerView = Type.Object({
  node: NodeId,
  /** It has lost its peers and most boxes together: what it sees says more of itself than of them, and does not count. */
  isolated: Type.Boolean(),
  mapSequence: Sequence,
  votes: Type.Array(HealthVote, { maxItems: 10_000 }),
});
export type PeerView = Static<typeof PeerView>;

const Verdict = Type.Union([
  Type.Literal('unknown'),
  Type.Literal('up'),
  Type.Literal('draining'),
  Type.Literal('down'),
]);

/** A change of what is made of a box, and why. */
export const HealthEvent = Type.Object({
  atMs: TimeMs,
  from: Type.String({ maxLength: 64 }),
  to: Type.String({ maxLength: 64 }),
  reason: Type.String({ maxLength: 500 }),
});
export type HealthEvent = Static<typeof HealthEvent>;

/** How a box is in the eyes of steering; a list has all of them without `votes` and `history`. */
export const PathwayHealth = Type.Object({
  id: NodeId,
  healthy: Type.Boolean(),
  reason: Type.String(),
  sinceMs: TimeMs,
  lastProbeMs: Type.Optional(TimeMs),
  probeMs: Type.Optional(Type.Number()),
  verdict: Type.Optional(Verdict),
  v4: Type.Optional(FamilyVote),
  v6: Type.Optional(FamilyVote),
  /** Whether the box's stream to this node lives. */
  stream: Type.Optional(Type.Union([Type.Literal('live'), Type.Literal('silent'), Type.Literal('none')])),
  said: Type.Optional(BoxReport),
  votes: Type.Optional(
    Type.Array(
      Type.Object({
        node: NodeId,
        v4: Type.Optional(FamilyVote),
        v6: Type.Optional(FamilyVote),
        why: Type.Optional(Type.String()),
      }),
      { maxItems: steeringNodesMax },
    ),
  ),
  /** Latest last. */
  history: Type.Optional(Type.Array(HealthEvent, { maxItems: 64 })),
});
export type PathwayHealth = Static<typeof PathwayHealth>;

export const PathwayHealthList = Type.Object({ pathways: Type.Array(PathwayHealth) });

/** How a steering node sees its peers. `alone`: it sees the boxes but no peer; `isolated`: neither. */
export const Sight = Type.Union([Type.Literal('clear'), Type.Literal('alone'), Type.Literal('isolated')]);
export type Sight = Static<typeof Sight>;

/** Another steering node, as this one sees it. */
export const PeerStatus = Type.Object({
  id: NodeId,
  fresh: Type.Boolean(),
  /** Since its last view came; absent where none has. */
  ageMs: Type.Optional(Count),
  /** Why its view does not count. */
  why: Type.Optional(Type.String()),
});
export type PeerStatus = Static<typeof PeerStatus>;
