import { Type, type Static } from './type.ts';
import { Line, NodeId, ObjectId, PlaceName, TimeMs, TimeZone } from './primitives.ts';

/** Windows that are kept at most, past ones included. */
export const maintenanceMax = 1000;

const DrainMs = Type.Integer({ minimum: 0, maximum: 86_400_000 });

/** A time in which an appliance, or all of a site, may be gone. Steering leads viewers away `drainMs` before it begins. */
export const MaintenanceWindow = Type.Object({
  id: ObjectId,
  /** One of the two. */
  appliance: Type.Optional(NodeId),
  site: Type.Optional(PlaceName),
  startMs: TimeMs,
  endMs: TimeMs,
  drainMs: DrainMs,
  /** In which it was planned, for showing it. */
  timeZone: Type.Optional(TimeZone),
  reason: Line,
});
export type MaintenanceWindow = Static<typeof MaintenanceWindow>;

/** Plans a window. */
export const MaintenanceRequest = Type.Object(
  {
    appliance: Type.Optional(NodeId),
    site: Type.Optional(PlaceName),
    startMs: TimeMs,
    endMs: TimeMs,
    /** Long enough for players to ask steering again, which they do every five minutes while all is well. */
    drainMs: Type.Optional({ ...DrainMs, default: 900_000 }),
    timeZone: Type.Optional(TimeZone),
    reason: Line,
  },
  { additionalProperties: false },
);
export type MaintenanceRequest = Static<typeof MaintenanceRequest>;

export const MaintenanceList = Type.Object({
  windows: Type.Array(MaintenanceWindow, { maxItems: maintenanceMax }),
});
export type MaintenanceList = Static<typeof MaintenanceList>;
