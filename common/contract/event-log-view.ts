import { SizeBytes, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

const Count = Type.Integer({ minimum: 0 });

/** The event log: how much is kept, who has read how far, and what of it stands in Parquet files. */
export const EventLogView = Type.Object({
  /** Of the oldest event that is kept. */
  firstOffset: Count,
  lastOffset: Count,
  sizeBytes: SizeBytes,
  consumers: Type.Array(
    Type.Object({
      name: Type.String(),
      /** The last event that it has handled. */
      offset: Count,
      /** How many come after that. */
      behind: Count,
    }),
  ),
  export: Type.Object({
    /** The last event that stands in a file. */
    offset: Count,
    events: Count,
    files: Count,
    /** Events that were gone before they could be exported. */
    missed: Count,
    /** Absent while nothing is exported. */
    running: Type.Optional(Type.Object({ startedAtMs: TimeMs, from: Count, to: Count })),
    /** How the last one of this process has ended. */
    last: Type.Optional(
      Type.Object({
        endedAtMs: TimeMs,
        outcome: Type.Union([Type.Literal('done'), Type.Literal('failed'), Type.Literal('stopped')]),
        detail: Type.Optional(Type.String()),
      }),
    ),
  }),
});
export type EventLogView = Static<typeof EventLogView>;
