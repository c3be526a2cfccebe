import { Type, type Static } from './type.ts';
import { FileName, Sequence, SizeBytes, TimeMs } from './primitives.ts';

/** Who reads served reports, as their audience. */
export const servedReportAudience = 'control-plane';

const ServedFile = Type.Object({
  file: FileName,
  /** Bytes sent to viewers, whether they play or look at pictures. */
  playBytes: SizeBytes,
  /** Bytes sent to boxes that fill. */
  fillBytes: SizeBytes,
  /** Of `playBytes`, those on tokens for pictures; absent for none, and from boxes that did not tell them apart. */
  pictureBytes: Type.Optional(SizeBytes),
});

/**
 * What a box has served since its report before, each byte in one report. The body of a document that the box signs with
 * its own key; the document's sequence grows by one with each report, over all restarts, so that a repeated report is known
 * and a missing one is noticed.
 */
export const ServedReport = Type.Object({
  sinceMs: TimeMs,
  untilMs: TimeMs,
  files: Type.Array(ServedFile, { maxItems: 10_000 }),
  /** Bytes that the box has received to fill itself: what its serving has cost the network above it. */
  filledBytes: SizeBytes,
});
export type ServedReport = Static<typeof ServedReport>;

/** A signed report on its way. */
export const ServedReportRequest = Type.Object(
  { jws: Type.String({ minLength: 1, maxLength: 2 * 1024 * 1024 }) },
  { additionalProperties: false },
);
export type ServedReportRequest = Static<typeof ServedReportRequest>;

export const ServedReportReply = Type.Object({
  /** Whether it counts now, or was taken before: then nothing has changed. */
  outcome: Type.Union([Type.Literal('taken'), Type.Literal('known')]),
  /** The highest sequence that was taken of this box. */
  sequence: Sequence,
});
export type ServedReportReply = Static<typeof ServedReportReply>;

/** What a box has served altogether, and what it took to fill it. */
export const ServedSummary = Type.Object({
  /** When its first report began. */
  sinceMs: TimeMs,
  /** To viewers, pictures included. */
  playBytes: SizeBytes,
  fillBytes: SizeBytes,
  filledBytes: SizeBytes,
  /** Of `playBytes`, those of pictures, as far as its boxes' versions have told; absent for none. */
  pictureBytes: Type.Optional(SizeBytes),
  /** Reports that never came: what they told is lost. */
  missingReports: Type.Integer({ minimum: 0 }),
});
export type ServedSummary = Static<typeof ServedSummary>;
