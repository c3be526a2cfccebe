import { Line, ObjectId, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

const DeviceId = Type.String({ pattern: '^[A-Za-z0-9_-]{8,64}$' });
const Sequence = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
// Ten days; nothing that is watched is longer.
const LengthMs = Type.Integer({ minimum: 0, maximum: 864_000_000 });

const said = {
  titleId: ObjectId,
  /** When it was so, by the device's clock. */
  atMs: TimeMs,
  /** Grows with each report of the device. */
  sequence: Sequence,
};

export const Rating = Type.Union([
  Type.Literal('none'),
  Type.Literal('down'),
  Type.Literal('up'),
  Type.Literal('love'),
]);
export type Rating = Static<typeof Rating>;

/** What a device says about a title. The latest counts, whatever the order in which reports come and however often. */
export const ViewingReport = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('progress'),
      ...said,
      /** Of this viewing: the same in all of its reports, and of no other. */
      viewingId: Type.String({ pattern: '^[A-Za-z0-9_-]{8,64}$' }),
      startedAtMs: TimeMs,
      positionMs: LengthMs,
      /** How long it has played since the start, pauses left out. */
      watchedMs: LengthMs,
    },
    { additionalProperties: false },
  ),
  Type.Object(
    { kind: Type.Literal('list'), ...said, listed: Type.Boolean() },
    { additionalProperties: false },
  ),
  Type.Object({ kind: Type.Literal('rating'), ...said, rating: Rating }, { additionalProperties: false }),
  /** The title goes from what is continued and from the history. */
  Type.Object({ kind: Type.Literal('forget'), ...said }, { additionalProperties: false }),
  /** The title is not recommended to the profile any more, or may be again. */
  Type.Object(
    { kind: Type.Literal('hide'), ...said, hidden: Type.Boolean() },
    { additionalProperties: false },
  ),
]);
export type ViewingReport = Static<typeof ViewingReport>;

/** Reports of one device, as they have gathered; `sentAtMs` is what its clock says now. */
export const ViewingBatch = Type.Object(
  {
    deviceId: DeviceId,
    sentAtMs: TimeMs,
    reports: Type.Array(ViewingReport, { minItems: 1, maxItems: 500 }),
  },
  { additionalProperties: false },
);
export type ViewingBatch = Static<typeof ViewingBatch>;

/** What became of a batch: what is not refused is kept for good, and what is refused is not worth sending again. */
export const ViewingBatchReply = Type.Object({
  accepted: Type.Integer({ minimum: 0 }),
  refused: Type.Array(
    Type.Object({ index: Type.Integer({ minimum: 0 }), code: Type.String(), detail: Type.String() }),
  ),
});
export type ViewingBatchReply = Static<typeof ViewingBatchReply>;

const title = { titleId: ObjectId, name: Line, durationMs: Type.Optional(Type.Integer()) };

/** Titles that were begun and not ended, the latest first. */
export const ContinueWatching = Type.Object({
  titles: Type.Array(Type.Object({ ...title, positionMs: LengthMs, atMs: TimeMs })),
});
export type ContinueWatching = Static<typeof ContinueWatching>;

const Cursor = Type.String({ pattern: '^[0-9]{1,16}-[A-Za-z0-9_-]{8,64}$' });

export const HistoryQuery = Type.Object(
  { before: Type.Optional(Cursor), limit: Type.Integer({ default: 50, minimum: 1, maximum: 500 }) },
  { additionalProperties: false },
);
export type HistoryQuery = Static<typeof HistoryQuery>;

/** What was watched, the latest first; `next` is the `before` of the page behind it, which may be there though this one is empty. */
export const ViewingHistory = Type.Object({
  viewings: Type.Array(
    Type.Object({
      ...title,
      viewingId: Type.String(),
      startedAtMs: TimeMs,
      lastAtMs: TimeMs,
      positionMs: LengthMs,
      watchedMs: LengthMs,
    }),
  ),
  next: Type.Optional(Cursor),
});
export type ViewingHistory = Static<typeof ViewingHistory>;

/** The list of a profile, what was put on it last first. */
export const MyList = Type.Object({ titles: Type.Array(Type.Object({ ...title, atMs: TimeMs })) });
export type MyList = Static<typeof MyList>;

export const Ratings = Type.Object({
  ratings: Type.Array(Type.Object({ titleId: ObjectId, rating: Rating, atMs: TimeMs })),
});
export type Ratings = Static<typeof Ratings>;
