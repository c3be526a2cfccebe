import { RouteClass } from './documents.ts';
import { FileName, IpAddress, IpPrefix, NodeId, PlaceName, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

const Count = Type.Integer({ minimum: 0 });

/** Media types of a route table, and of its difference from another, both packed (docs/steering.md). */
export const routeTableType = 'application/vnd.nearcast.route-table';
export const routeDeltaType = 'application/vnd.nearcast.route-table-delta';

/** Why routes of a box are not used. */
export const RouteRefusal = Type.Union([
  Type.Literal('default'),
  Type.Literal('foreign'),
  Type.Literal('too-specific'),
  Type.Literal('over-limit'),
  /** Of lists only: a table holds none. */
  Type.Literal('unreadable'),
]);
export type RouteRefusal = Static<typeof RouteRefusal>;

/** How many routes were refused for one reason, and some of them. */
export const RefusedRoutes = Type.Object({
  refusal: RouteRefusal,
  count: Count,
  examples: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 10 }),
});
export type RefusedRoutes = Static<typeof RefusedRoutes>;

/** What became of a table that a box has told: its name there, and how much of it is used. */
export const RouteTableReply = Type.Object({
  /** SHA-256 of the table as it was told. */
  name: FileName,
  routes: Count,
  refused: Type.Array(RefusedRoutes, { maxItems: 8 }),
});
export type RouteTableReply = Static<typeof RouteTableReply>;

/** A prefix that a partner may announce, and its more-specifics up to a length. */
export const AllowedPrefix = Type.Object(
  { prefix: IpPrefix, maxLength: Type.Optional(Type.Integer({ minimum: 0, maximum: 128 })) },
  { additionalProperties: false },
);
export type AllowedPrefix = Static<typeof AllowedPrefix>;

const allowedMax = 10_000;

/** Changes what the boxes of a site may announce. What is absent stays; null goes back to the default. */
export const RouteSitePatch = Type.Object(
  {
    /** Null: any prefix. */
    allowed: Type.Optional(Type.Union([Type.Array(AllowedPrefix, { maxItems: allowedMax }), Type.Null()])),
    /** Most routes of one box. */
    routesMax: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 2_000_000 }), Type.Null()])),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type RouteSitePatch = Static<typeof RouteSitePatch>;

/** What the boxes of a site may announce. */
export const RouteSiteView = Type.Object({
  site: PlaceName,
  appliances: Count,
  /** Absent: any prefix. */
  allowed: Type.Optional(Type.Array(AllowedPrefix, { maxItems: allowedMax })),
  routesMax: Count,
});
export type RouteSiteView = Static<typeof RouteSiteView>;
export const RouteSites = Type.Object({ sites: Type.Array(RouteSiteView) });
export type RouteSites = Static<typeof RouteSites>;

/** Which routes are asked for. */
export const RoutesQuery = Type.Object(
  {
    appliance: Type.Optional(NodeId),
    site: Type.Optional(PlaceName),
    /** This prefix, those around it and those in it. */
    prefix: Type.Optional(IpPrefix),
    /** Those that reach this address, of each box the longest. */
    client: Type.Optional(IpAddress),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 })),
  },
  { additionalProperties: false },
);
export type RoutesQuery = Static<typeof RoutesQuery>;

/** The routes of one box in numbers. */
export const RouteSummary = Type.Object({
  appliance: NodeId,
  site: PlaceName,
  cluster: PlaceName,
  /** SHA-256 of the table that is used; absent where it has told none. */
  table: Type.Optional(FileName),
  ipv4: Count,
  ipv6: Count,
  refused: Type.Array(RefusedRoutes),
  changedAtMs: Type.Optional(TimeMs),
  /** Tables that it told in the last hour. */
  changesLastHour: Count,
});
export type RouteSummary = Static<typeof RouteSummary>;

export const RouteRow = Type.Object({
  appliance: NodeId,
  prefix: Type.String(),
  class: RouteClass,
  asPathLength: Count,
  med: Count,
});
export type RouteRow = Static<typeof RouteRow>;

export const RoutesView = Type.Object({
  appliances: Type.Array(RouteSummary),
  /** Empty where neither a box, a prefix nor a client was named. */
  routes: Type.Array(RouteRow),
  /** How many more there are. */
  more: Count,
});
export type RoutesView = Static<typeof RoutesView>;

/** What is wrong with routes. */
export const RouteFault = Type.Union([
  Type.Literal('default'),
  Type.Literal('foreign'),
  Type.Literal('too-specific'),
  Type.Literal('over-limit'),
  Type.Literal('unreadable'),
  Type.Literal('default-in-parts'),
  Type.Literal('none'),
  Type.Literal('no-ipv6'),
  Type.Literal('asymmetric'),
  Type.Literal('no-route-to-box'),
  Type.Literal('no-route-to-site'),
  Type.Literal('flapping'),
]);
export type RouteFault = Static<typeof RouteFault>;

export const RouteFinding = Type.Object({
  appliance: NodeId,
  site: PlaceName,
  fault: RouteFault,
  count: Count,
  examples: Type.Array(Type.String({ maxLength: 100 }), { maxItems: 10 }),
  /** What it means, and what to do. */
  detail: Type.String(),
});
export type RouteFinding = Static<typeof RouteFinding>;
export const RouteLint = Type.Object({ appliances: Count, findings: Type.Array(RouteFinding) });
export type RouteLint = Static<typeof RouteLint>;
