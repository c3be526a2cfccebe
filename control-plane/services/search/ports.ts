import { ObjectId, Sequence } from '../../../common/contract/primitives.ts';
import { Viewer } from '../../../common/contract/release.ts';
import { TitleState } from '../../../common/contract/titles.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { defineInterface, type Calls } from '../../apart/interface.ts';

/** What search has to know of a title. */
const SearchableTitle = Type.Object({
  id: ObjectId,
  name: Type.String(),
  state: TitleState,
  popularity: Type.Number(),
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

/** For how long a question after changes may wait for one. */
export const changesWaitMs = 20_000;

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
