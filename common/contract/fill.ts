import { Type, type Static } from './type.ts';
import { FileName, Fraction, NodeId, PlaceName, Sequence, SizeBytes, TimeMs } from './primitives.ts';

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

/** Bytes or files that go from one site to another, or stay within one. */
export const FillLink = Type.Object({
  kind: FillKind,
  /** The site of the source, and that of the boxes that fetch. */
  from: PlaceName,
  to: PlaceName,
  files: Type.Integer({ minimum: 0 }),
  bytes: SizeBytes,
  /** What all boxes there together may take over it, where that was chosen. */
  capBytesPerSecond: Type.Optional(SizeBytes),
});
export type FillLink = Static<typeof FillLink>;

/** Share of the bytes that viewers ask for which boxes of their cluster hold; absent where nobody has asked for anything. */
export const FillHit = Type.Object({ now: Fraction, after: Fraction });
export type FillHit = Static<typeof FillHit>;

/** What placement would do now, per appliance, before it is done. Lists are cut at 1000; the counts are of all. */
export const FillPlanView = Type.Object({
  appliances: Type.Array(
    Type.Object({
      id: NodeId,
      site: PlaceName,
      cluster: PlaceName,
      capacityBytes: SizeBytes,
      plannedBytes: SizeBytes,
      addFiles: Type.Integer({ minimum: 0 }),
      addBytes: SizeBytes,
      adds: Type.Array(
        Type.Object({
          file: FileName,
          title: Type.String(),
          sizeBytes: SizeBytes,
          why: Type.String(),
          /** Where it is to come from; absent where nobody has it. */
          from: Type.Optional(Type.Object({ kind: FillKind, node: NodeId })),
        }),
      ),
      deleteFiles: Type.Integer({ minimum: 0 }),
      deleteBytes: SizeBytes,
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
  links: Type.Array(FillLink),
  /** Bytes that come and bytes that may go, of those that are held. */
  churn: Type.Object({ addBytes: SizeBytes, deleteBytes: SizeBytes, heldBytes: SizeBytes }),
  hit: Type.Optional(FillHit),
});
export type FillPlanView = Static<typeof FillPlanView>;

/** What the last fill did: per appliance, by source, over time. Lists are cut at 1000; the counts are of all. */
export const FillReportView = Type.Object({
  sinceMs: TimeMs,
  untilMs: TimeMs,
  appliances: Type.Array(
    Type.Object({
      id: NodeId,
      site: PlaceName,
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
      missingFiles: Type.Integer({ minimum: 0 }),
      missingBytes: SizeBytes,
      /** When the last of them will be there by the caps, the window and the rate so far; absent where that cannot be told. */
      etaMs: Type.Optional(TimeMs),
      /** When it may fill next, where its window is closed now. */
      opensMs: Type.Optional(TimeMs),
      missing: Type.Array(
        Type.Object({
          file: FileName,
          title: Type.String(),
          sizeBytes: SizeBytes,
          why: Type.String(),
          etaMs: Type.Optional(TimeMs),
        }),
      ),
      /** Tries that ended without the file, the last of each file, whether or not it came later. */
      failures: Type.Array(
        Type.Object({
          file: FileName,
          title: Type.String(),
          atMs: TimeMs,
          code: Type.String(),
          detail: Type.String(),
          heldNow: Type.Boolean(),
        }),
      ),
    }),
  ),
  /** What came from where, the most first. */
  links: Type.Optional(Type.Array(FillLink)),
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

/** Why files are or are not on an appliance. */
export const FillExplainView = Type.Object({
  appliance: NodeId,
  /** The title that they are of, where one is published. */
  title: Type.Optional(Type.String()),
  files: Type.Array(
    Type.Object({
      file: FileName,
      sizeBytes: SizeBytes,
      isHeld: Type.Boolean(),
      isPlanned: Type.Boolean(),
      why: Type.String(),
      /** Where it may be fetched from, while it is missing. */
      ways: Type.Array(Type.Object({ kind: FillKind, node: NodeId, waitMs: Type.Integer() })),
      etaMs: Type.Optional(TimeMs),
    }),
  ),
});
export type FillExplainView = Static<typeof FillExplainView>;
