import { Type, type Static } from './type.ts';
import { NodeView } from './nodes.ts';
import { TimeMs } from './primitives.ts';

/** The whole system at a glance. */
export const StatusView = Type.Object({
  name: Type.String(),
  version: Type.String(),
  nowMs: TimeMs,
  startedAtMs: TimeMs,
  steeringUrl: Type.Union([Type.String(), Type.Null()]),
  nodes: Type.Array(NodeView),
  titles: Type.Object({
    queued: Type.Integer(),
    encoding: Type.Integer(),
    filling: Type.Integer(),
    live: Type.Integer(),
    failed: Type.Integer(),
  }),
  fill: Type.Object({
    wantedFiles: Type.Integer(),
    missingFiles: Type.Integer(),
  }),
  /** null where playback cannot be asked. */
  sessionsToday: Type.Union([Type.Integer(), Type.Null()]),
});
export type StatusView = Static<typeof StatusView>;

/** `GET /healthz` of every plane, open to all. */
export const HealthView = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('draining')]),
  name: Type.String(),
  version: Type.String(),
});
export type HealthView = Static<typeof HealthView>;
