import { Line, ObjectId, TimeMs } from './primitives.ts';
import { TitleKind } from './title-metadata.ts';
import { Type, type Static } from './type.ts';

/** What a row is of. */
export const RowKind = Type.Union([
  Type.Literal('continue'),
  Type.Literal('top'),
  Type.Literal('because'),
  Type.Literal('trending'),
  Type.Literal('new'),
  Type.Literal('genre'),
]);
export type RowKind = Static<typeof RowKind>;

/** The titles of a row, at most. */
export const rowTitlesMax = 50;

const Seed = Type.Integer({ minimum: 0, maximum: 4_294_967_295 });

/**
 * `profileId`: who watches, one of the caller's own; without it rows are as for somebody new. `seed`: the same seed gives the same rows as
 * long as nothing else has changed; absent, they stay for an hour.
 */
export const RowsQuery = Type.Object(
  { profileId: Type.Optional(ObjectId), seed: Type.Optional(Seed) },
  { additionalProperties: false },
);
export type RowsQuery = Static<typeof RowsQuery>;

/** Why a title stands in a row. `titleId` and `name`: the title that it is because of. */
export const RowReason = Type.Object({
  kind: Type.Union([
    Type.Literal('continue'),
    Type.Literal('next-episode'),
    Type.Literal('because'),
    Type.Literal('trending'),
    Type.Literal('new'),
    Type.Literal('popular'),
    Type.Literal('genre'),
  ]),
  titleId: Type.Optional(ObjectId),
  name: Type.Optional(Line),
  genre: Type.Optional(Line),
});
export type RowReason = Static<typeof RowReason>;

/** How likely something was to be chosen: above 0. */
const Propensity = Type.Number({ exclusiveMinimum: 0, maximum: 1 });

export const RowTitle = Type.Object({
  titleId: ObjectId,
  name: Line,
  kind: TitleKind,
  durationMs: Type.Optional(Type.Integer()),
  /** Where it goes on; absent: at its start. */
  positionMs: Type.Optional(Type.Integer({ minimum: 0 })),
  reason: RowReason,
  /** How likely the title was to stand at its place, of all that could have. */
  propensity: Propensity,
});
export type RowTitle = Static<typeof RowTitle>;

export const Row = Type.Object({
  kind: RowKind,
  /** Of a row that is because of a title: which. */
  because: Type.Optional(Type.Object({ titleId: ObjectId, name: Line })),
  /** Of a genre's row. */
  genre: Type.Optional(Line),
  titles: Type.Array(RowTitle, { minItems: 1, maxItems: rowTitlesMax }),
  /** Goes with the events that tell what was seen and chosen of the row. */
  ticket: Type.String(),
});
export type Row = Static<typeof Row>;

export const RowsReply = Type.Object({
  /** In the order in which they are to be shown. */
  rows: Type.Array(Row, { maxItems: 20 }),
  seed: Seed,
  /** The model that had a say; absent as long as there is none. */
  model: Type.Optional(ObjectId),
});
export type RowsReply = Static<typeof RowsReply>;

/** What a client tells of a row: an `impression` of the places that were on the screen, a `choice` of the one that was opened. */
export const RowEvent = Type.Object(
  {
    id: Type.String({ pattern: '^[A-Za-z0-9_-]{8,64}$' }),
    timeMs: TimeMs,
    type: Type.Union([Type.Literal('impression'), Type.Literal('choice')]),
    ticket: Type.String({ pattern: '^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$', maxLength: 8192 }),
    /** From 0 on. */
    places: Type.Array(Type.Integer({ minimum: 0, maximum: rowTitlesMax - 1 }), {
      minItems: 1,
      maxItems: rowTitlesMax,
      uniqueItems: true,
    }),
  },
  { additionalProperties: false },
);
export type RowEvent = Static<typeof RowEvent>;

/** Why a title stands where it stands for somebody: a viewer by its profile, an operator by what somebody may have watched. */
export const RowsExplainQuery = Type.Object(
  {
    titleId: ObjectId,
    profileId: Type.Optional(ObjectId),
    seed: Type.Optional(Seed),
    /** Ids of titles that were watched to their ends, between commas, the latest first; instead of a profile. */
    watched: Type.Optional(Type.String({ maxLength: 4000, pattern: '^[A-Za-z0-9_,-]+$' })),
  },
  { additionalProperties: false },
);
export type RowsExplainQuery = Static<typeof RowsExplainQuery>;

const Score = Type.Number();

export const RowsExplainReply = Type.Object({
  titleId: ObjectId,
  name: Line,
  /** What is asked of a title before it may be offered, in this order. */
  filters: Type.Array(
    Type.Object({
      name: Type.Union([
        Type.Literal('stands-alone'),
        Type.Literal('permitted'),
        Type.Literal('not-begun'),
        Type.Literal('not-finished'),
        Type.Literal('not-rated-down'),
        Type.Literal('not-hidden'),
      ]),
      passed: Type.Boolean(),
    }),
  ),
  /** Its place among all that may be offered, by score, and how many they are; absent where it may not be offered. */
  rank: Type.Optional(Type.Integer({ minimum: 1 })),
  of: Type.Integer({ minimum: 0 }),
  /** What its score is made of; see docs/recommendations.md. */
  score: Type.Optional(
    Type.Object({
      total: Score,
      experience: Score,
      model: Score,
      modelParts: Type.Optional(
        Type.Object({ ease: Score, itemKnn: Score, factors: Score, popularity: Score }),
      ),
      content: Score,
      company: Score,
      popularity: Score,
      freshness: Score,
    }),
  ),
  /** What was watched that speaks for it, the strongest first. */
  because: Type.Array(Type.Object({ titleId: ObjectId, name: Line, strength: Score })),
  /** Where it stands now. */
  places: Type.Array(
    Type.Object({ row: RowKind, place: Type.Integer({ minimum: 0 }), propensity: Propensity }),
  ),
  model: Type.Optional(ObjectId),
});
export type RowsExplainReply = Static<typeof RowsExplainReply>;
