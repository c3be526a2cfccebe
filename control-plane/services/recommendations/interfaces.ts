import { ObjectId, TimeMs } from '../../../common/contract/primitives.ts';
import { Country } from '../../../common/contract/release.ts';
import { Type } from '../../../common/contract/type.ts';
import { ViewingReport } from '../../../common/contract/viewing.ts';
import { defineInterface, Nothing } from '../../apart/interface.ts';

const Ids = Type.Object({ ids: Type.Array(ObjectId) });
const LengthMs = Type.Integer({ minimum: 0 });
const tasteBytesMax = 16 * 1024 * 1024;

/** Who watches, and what. */
export const watchedProfiles = defineInterface({
  service: 'users',
  name: 'watched-profiles',
  verbs: {
    /** Ids of profiles of all accounts, those that come after one; none behind the last. */
    page: { ask: Type.Object({ after: Type.Optional(ObjectId) }), answer: Ids, isRepeatable: true },
    /** The profiles of an account. */
    of: {
      ask: Type.Object({ accountId: Type.String({ maxLength: 200 }) }),
      answer: Ids,
      isRepeatable: true,
    },
    /** What a profile has shown to like and not to like. */
    taste: {
      ask: Type.Object({ profileId: ObjectId }),
      answer: Type.Object({
        seen: Type.Array(
          Type.Object({
            titleId: ObjectId,
            positionMs: LengthMs,
            durationMs: LengthMs,
            progress: Type.Union([
              Type.Literal('hardly-begun'),
              Type.Literal('begun'),
              Type.Literal('ended'),
            ]),
            atMs: TimeMs,
          }),
        ),
        ratings: Type.Array(Type.Object({ titleId: ObjectId, value: Type.Integer() })),
        hidden: Type.Array(ObjectId),
      }),
      isRepeatable: true,
      answerBytesMax: tasteBytesMax,
    },
  },
});

const reportsBytesMax = 1024 * 1024;

/** Who hears what devices tell of profiles, and of profiles that are no more. */
export const viewingTold = defineInterface({
  service: 'core',
  name: 'viewing-told',
  verbs: {
    told: {
      ask: Type.Object({
        profileId: ObjectId,
        /** Where the device may be. */
        region: Type.Optional(Country),
        reports: Type.Array(ViewingReport, { maxItems: 500 }),
      }),
      answer: Nothing,
      isRepeatable: true,
      askBytesMax: reportsBytesMax,
    },
    removed: { ask: Type.Object({ profileId: ObjectId }), answer: Nothing, isRepeatable: true },
  },
});
