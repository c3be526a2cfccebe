import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { ObjectId, TimeMs } from '../../../common/contract/primitives.ts';
import { RecommendationModel, RecommendationModels } from '../../../common/contract/recommendation-models.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

const ModelRecord = Type.Object({
  ...RecommendationModel.properties,
  /** SHA-256 of its file, lower-case hex. */
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
});
export type ModelRecord = Static<typeof ModelRecord>;

/** What holds for all models. */
const ModelsState = Type.Object({
  promoted: Type.Optional(ObjectId),
  /** When the last training began. */
  attemptAtMs: Type.Optional(TimeMs),
  last: RecommendationModels.properties.last,
});
export type ModelsState = Static<typeof ModelsState>;

const Fading = Type.Object({ fast: Type.Number(), slow: Type.Number(), atMs: TimeMs });
const LearnedRecord = Type.Object({
  begun: Type.Record(Type.String(), Fading),
  together: Type.Record(Type.String(), Type.Integer({ minimum: 1 })),
});
type LearnedRecord = Static<typeof LearnedRecord>;

/** The collections of recommendations' own file. Nothing in them names a profile. */
export interface RecommendationRecords {
  readonly all: Records;
  readonly models: Collection<ModelRecord>;
  readonly state: Collection<ModelsState>;
  /** What was learned beside the model, by title. */
  readonly learned: Collection<LearnedRecord>;
}

/** Opens the collections of recommendations. */
export function openRecommendationRecords(records: Records): RecommendationRecords {
  const code = 'STORE_CORRUPT';
  return {
    all: records,
    models: openCollection(records, 'models', (value) =>
      parseAs(ModelRecord, value, { what: 'the record of a model', code }),
    ),
    state: openCollection(records, 'state', (value) =>
      parseAs(ModelsState, value, { what: 'the record of which model is in force', code }),
    ),
    learned: openCollection(records, 'learned', (value) =>
      parseAs(LearnedRecord, value, { what: 'what was learned of a title', code }),
    ),
  };
}
