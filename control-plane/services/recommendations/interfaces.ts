import { ObjectId, Sequence, TimeMs } from '../../../common/contract/primitives.ts';
import { Country, Release } from '../../../common/contract/release.ts';
import { RowKind, rowTitlesMax } from '../../../common/contract/rows.ts';
import { TitleKind } from '../../../common/contract/title-metadata.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { ViewingReport } from '../../../common/contract/viewing.ts';
import { defineInterface, Nothing } from '../../apart/interface.ts';
import { changesWaitMs } from '../change-log.ts';

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
  service: 'recommendations',
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

/** A title as recommendations know it: what rows are made of, and by what rights to it are told. */
const RecommendedTitle = Type.Object({
  id: ObjectId,
  name: Type.String(),
  translations: Type.Array(Type.Object({ language: Type.String(), name: Type.Optional(Type.String()) }), {
    maxItems: 50,
  }),
  kind: TitleKind,
  parentId: Type.Optional(ObjectId),
  number: Type.Optional(Type.Integer()),
  createdAtMs: TimeMs,
  genres: Type.Array(Type.String(), { maxItems: 20 }),
  people: Type.Array(Type.String(), { maxItems: 100 }),
  sinceMs: TimeMs,
  durationMs: Type.Optional(LengthMs),
  release: Type.Optional(Release),
  maturity: Type.Optional(Type.Integer()),
  isLive: Type.Boolean(),
  hasVideo: Type.Boolean(),
});
export type RecommendedTitle = Static<typeof RecommendedTitle>;

/** How many titles are told at a time. */
export const titlesAtOnce = 500;
const titlesBytesMax = 64 * 1024 * 1024;
const Titles = Type.Object({ titles: Type.Array(RecommendedTitle, { maxItems: titlesAtOnce }) });

/** Where titles are kept. */
export const titlesTold = defineInterface({
  service: 'core',
  name: 'recommended-titles',
  verbs: {
    /** Titles, the oldest first, from the one of this number on; none behind the last. */
    page: {
      ask: Type.Object({ from: Type.Integer({ minimum: 0 }) }),
      answer: Titles,
      isRepeatable: true,
      answerBytesMax: titlesBytesMax,
    },
    /** Those that there are. */
    find: {
      ask: Type.Object({ ids: Type.Array(ObjectId, { maxItems: titlesAtOnce }) }),
      answer: Titles,
      isRepeatable: true,
      answerBytesMax: titlesBytesMax,
    },
    /** Titles that were added or changed since a number that was told before, waited for or not; without `ids` any may have. */
    changes: {
      ask: Type.Object({ after: Sequence, isAwaited: Type.Boolean() }),
      answer: Type.Object({ sequence: Sequence, ids: Type.Optional(Type.Array(ObjectId)) }),
      isRepeatable: true,
      waitMs: changesWaitMs,
    },
  },
});

/** Who knows the rows that it made again. */
export const rowTickets = defineInterface({
  service: 'recommendations',
  name: 'row-tickets',
  verbs: {
    /** What was on the rows of tickets, in their order; without `row` where a ticket is not from here, or too old. */
    read: {
      ask: Type.Object({ tickets: Type.Array(Type.String({ maxLength: 8192 }), { maxItems: 100 }) }),
      answer: Type.Object({
        rows: Type.Array(
          Type.Object({
            row: Type.Optional(
              Type.Object({
                row: RowKind,
                model: Type.Optional(ObjectId),
                titles: Type.Array(Type.Object({ titleId: ObjectId, propensity: Type.Number() }), {
                  maxItems: rowTitlesMax,
                }),
              }),
            ),
          }),
        ),
      }),
      isRepeatable: true,
    },
  },
});
