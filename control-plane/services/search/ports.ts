import { ObjectId, Sequence } from '../../../common/contract/primitives.ts';
import { Viewer } from '../../../common/contract/release.ts';
import { TitleKind } from '../../../common/contract/title-metadata.ts';
import { TitleState } from '../../../common/contract/titles.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { defineInterface, type Calls } from '../../apart/interface.ts';
import { changesWaitMs } from '../change-log.ts';

/** Titles that viewers may have together or not at all. */
const RightsGroup = Type.String({ maxLength: 32 });

/** What search has to know of a title. */
const SearchableTitle = Type.Object({
  id: ObjectId,
  name: Type.String(),
  state: TitleState,
  popularity: Type.Number(),
  kind: TitleKind,
  year: Type.Optional(Type.Integer()),
  /** From what age on, of all that it is part of the strictest; absent where nothing is rated. */
  maturity: Type.Optional(Type.Integer()),
  /** What it is called in which language. */
  translations: Type.Array(Type.Object({ language: Type.String(), name: Type.String() }), { maxItems: 50 }),
  /** The groups by whose rights viewers are shown it; none where it is shown to nobody. */
  rights: Type.Array(RightsGroup, { maxItems: 60 }),
  /** Other names, in all languages. */
  aliases: Type.Array(Type.String(), { maxItems: 70 }),
  people: Type.Array(Type.String(), { maxItems: 100 }),
  genres: Type.Array(Type.String(), { maxItems: 20 }),
  synopsis: Type.String(),
});
export type SearchableTitle = Static<typeof SearchableTitle>;

/** How many titles are told at a time. */
export const titlesAtOnce = 500;
/** All of their texts. */
const answerBytesMax = 64 * 1024 * 1024;

const Titles = Type.Object({ titles: Type.Array(SearchableTitle, { maxItems: titlesAtOnce }) });

/** Where titles are kept. */
export const searchableTitles = defineInterface({
  service: 'core',
  name: 'searchable-titles',
  verbs: {
    /** Titles, oldest first, from the one of this number on; none behind the last. */
    page: {
      ask: Type.Object({ from: Type.Integer({ minimum: 0 }) }),
      answer: Titles,
      isRepeatable: true,
      answerBytesMax,
    },
    /** Those that there are. */
    find: {
      ask: Type.Object({ ids: Type.Array(ObjectId, { maxItems: titlesAtOnce }) }),
      answer: Titles,
      isRepeatable: true,
      answerBytesMax,
    },
    /** Those of them that a viewer is shown. */
    shown: {
      ask: Type.Object({ ids: Type.Array(ObjectId, { maxItems: titlesAtOnce }), viewer: Viewer }),
      answer: Type.Object({ ids: Type.Array(ObjectId) }),
      isRepeatable: true,
    },
    /** The groups that a viewer may have now. */
    allowed: {
      ask: Type.Object({ viewer: Viewer }),
      answer: Type.Object({ rights: Type.Array(RightsGroup) }),
      isRepeatable: true,
      answerBytesMax,
    },
    /** Titles that were added or changed since a number that was told before; without `ids` any may have. */
    changes: {
      ask: Type.Object({ after: Sequence }),
      answer: Type.Object({ sequence: Sequence, ids: Type.Optional(Type.Array(ObjectId)) }),
      isRepeatable: true,
      waitMs: changesWaitMs,
    },
  },
});
export type SearchableTitles = Calls<typeof searchableTitles>;
