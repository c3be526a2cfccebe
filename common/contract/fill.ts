import { Type, type Static } from './type.ts';
import { FileName, NodeId, PlaceName, Sequence, SizeBytes, TimeMs } from './primitives.ts';

/** Where a file may be filled from, in the order of escalation. */
export const FillKind = Type.Union([Type.Literal('peer'), Type.Literal('tier'), Type.Literal('origin')]);
export type FillKind = Static<typeof FillKind>;

/** What an appliance fetches for: to hold what the manifest wants, or because viewers ask for what it does not hold. */
export const FillPurpose = Type.Union([Type.Literal('fill'), Type.Literal('pull')]);
export type FillPurpose = Static<typeof FillPurpose>;

/** `fill` where no purpose is given. */
export const FillSourcesRequest = Type.Object(
  {
    files: Type.Array(FileName, { minItems: 1, maxItems: 1000 }),
    purpose: Type.Optional(FillPurpose),
  },
  { additionalProperties: false },
);
export type FillSourcesRequest = Static<typeof FillSourcesRequest>;

/** `base` ends in `/v1/<fill token>/`; `<file>.<ext>` is appended. A way may be used `waitMs` after the file was first wanted. */
export const FillSourcesReply = Type.Object({
  sources: Type.Array(
    Type.Object({
      file: FileName,
      ways: Type.Array(
        Type.Object({
          kind: FillKind,
          node: NodeId,
          base: Type.String({ maxLength: 2048 }),
          waitMs: Type.Integer({ minimum: 0, maximum: 86_400_000 }),
        }),
        { maxItems: 16 },
      ),
    }),
    { maxItems: 1000 },
  ),
});
export type FillSourcesReply = Static<typeof FillSourcesReply>;

export const FillOutcome = Type.Object({
  file: FileName,
  sizeBytes: SizeBytes,
  startedAtMs: TimeMs,
  endedAtMs: TimeMs,
  outcome: Type.Union([Type.Literal('held'), Type.Literal('failed')]),
  /** Problem code and words where it failed. */
  code: Type.Optional(Type.String({ maxLength: 64 })),
  detail: Type.Optional(Type.String({ maxLength: 500 })),
  chunksVerified: Type.Integer({ minimum: 0 }),
  chunksRefused: Type.Integer({ minimum: 0 }),
  resumedBytes: SizeBytes,
  bytesBySource: Type.Array(Type.Object({ kind: FillKind, node: NodeId, bytes: SizeBytes }), {
    maxItems: 64,
  }),
});
export type FillOutcome = Static<typeof FillOutcome>;

/** Sent by an appliance as files end; delivered at least once, `id` makes a repeat harmless. */
export const FillReport = Type.Object(
  {
    id: Type.String({ minLength: 8, maxLength: 64 }),
    manifestSequence: Sequence,
    outcomes: Type.Array(FillOutcome, { minItems: 1, maxItems: 1000 }),
  },
  { additionalProperties: false },
);
export type FillReport = Static<typeof FillReport>;

/** What placement would do now, per appliance, before it is done. */
export const FillPlanView = Type.Object({
  appliances: Type.Array(
    Type.Object({
      id: NodeId,
      site: PlaceName,
      cluster: PlaceName,
      capacityBytes: SizeBytes,
      plannedBytes: SizeBytes,
      adds: Type.Array(
        Type.Object({
          file: FileName,
          title: Type.String(),
          sizeBytes: SizeBytes,
          why: Type.String(),
        }),
      ),
      deletes: Type.Array(
        Type.Object({
          file: FileName,
          title: Type.String(),
          sizeBytes: SizeBytes,
        }),
      ),
      keeps: Type.Integer({ minimum: 0 }),
      /** What did not fit or was left out, and why. */
      left: Type.Array(
        Type.Object({
          title: Type.String(),
          sizeBytes: SizeBytes,
          why: Type.String(),
        }),
      ),
    }),
  ),
});
export type FillPlanView = Static<typeof FillPlanView>;

/** What the last fill did: per appliance, by source, over time. */
export const FillReportView = Type.Object({
  sinceMs: TimeMs,
  untilMs: TimeMs,
  appliances: Type.Array(
    Type.Object({
      id: NodeId,
      plannedFiles: Type.Integer(),
      plannedBytes: SizeBytes,
      heldFiles: Type.Integer(),
      heldBytes: SizeBytes,
      failedFiles: Type.Integer(),
      bytesByKind: Type.Object({
        peer: SizeBytes,
        tier: SizeBytes,
        origin: SizeBytes,
      }),
      chunksVerified: Type.Integer(),
      chunksRefused: Type.Integer(),
      /** How long it was filling: times of several transfers at once count once, times of none not at all. */
      durationMs: Type.Integer(),
      bytesPerSecond: Type.Number(),
      missing: Type.Array(
        Type.Object({
          file: FileName,
          title: Type.String(),
          why: Type.String(),
        }),
      ),
    }),
  ),
  /** Bytes by source kind in buckets of `bucketMs`. */
  bucketMs: Type.Integer({ minimum: 1 }),
  buckets: Type.Array(
    Type.Object({
      atMs: TimeMs,
      peer: SizeBytes,
      tier: SizeBytes,
      origin: SizeBytes,
    }),
  ),
});
export type FillReportView = Static<typeof FillReportView>;
