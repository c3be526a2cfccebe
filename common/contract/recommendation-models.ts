import { Fraction, ObjectId, SizeBytes, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

const Count = Type.Integer({ minimum: 0 });

const Judged = Type.Object({
  /** Means over the users who judged, of lists of ten. */
  ndcg10: Fraction,
  recall10: Fraction,
  mrr10: Fraction,
  precision10: Fraction,
  users: Count,
});

/** A model of what people watch, and how it did when it was trained. */
export const RecommendationModel = Type.Object({
  id: ObjectId,
  trainedAtMs: TimeMs,
  /** It knows what was met before; what came after judged it. */
  cutAtMs: TimeMs,
  trainSeconds: Type.Number({ minimum: 0 }),
  profiles: Count,
  titles: Count,
  /** Titles that profiles have met, each once. */
  meetings: Count,
  sizeBytes: SizeBytes,
  /** λ of EASE, and how much each part has to say. */
  lambda: Type.Number(),
  blend: Type.Object({
    ease: Type.Number(),
    itemKnn: Type.Number(),
    factors: Type.Number(),
    popularity: Type.Number(),
  }),
  judged: Judged,
  /** What everybody watches, judged by the same people. */
  popularity: Judged,
  /** The model that was in force, judged by the same people; absent where there was none. */
  incumbent: Type.Optional(Type.Object({ id: ObjectId, judged: Judged })),
  /** Whether it did better than what there was. */
  better: Type.Boolean(),
});
export type RecommendationModel = Static<typeof RecommendationModel>;

/** What a training is at. */
export const RecommendationTraining = Type.Object({
  startedAtMs: TimeMs,
  stage: Type.Union([Type.Literal('reading'), Type.Literal('training')]),
  /** Profiles that were read. */
  profiles: Count,
  fraction: Fraction,
});
export type RecommendationTraining = Static<typeof RecommendationTraining>;

export const RecommendationModels = Type.Object({
  /** The latest first. */
  models: Type.Array(RecommendationModel),
  /** The one that is in force. */
  promoted: Type.Optional(ObjectId),
  /** Absent while nothing is trained. */
  training: Type.Optional(RecommendationTraining),
  /** How the last training ended. */
  last: Type.Optional(
    Type.Object({
      endedAtMs: TimeMs,
      outcome: Type.Union([
        Type.Literal('promoted'),
        Type.Literal('kept-back'),
        Type.Literal('too-little'),
        Type.Literal('failed'),
      ]),
      detail: Type.String(),
    }),
  ),
});
export type RecommendationModels = Static<typeof RecommendationModels>;
