import { Line, ObjectId } from './primitives.ts';
import { TitleState } from './titles.ts';
import { Type, type Static } from './type.ts';

/** `q` as it was typed; with `typing=true` its last word may be unfinished. */
export const TitleSearchQuery = Type.Object(
  {
    q: Type.String({ maxLength: 200 }),
    typing: Type.Optional(Type.Boolean()),
    state: Type.Optional(TitleState),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    /** Who watches, one of the caller's own: viewers find nothing beyond its maturity. */
    profileId: Type.Optional(ObjectId),
    offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })),
  },
  { additionalProperties: false },
);
export type TitleSearchQuery = Static<typeof TitleSearchQuery>;

export const TitleSearchReply = Type.Object({
  hits: Type.Array(
    Type.Object({
      id: ObjectId,
      name: Line,
      state: TitleState,
      /** How many typos of the query were passed over to find it. */
      typos: Type.Integer({ minimum: 0 }),
      /** Places in `name` that were found: `[from, to)`, in UTF-16 code units. */
      highlights: Type.Array(Type.Tuple([Type.Integer(), Type.Integer()])),
    }),
  ),
  /** How many there are altogether, counted up to 1,000; for viewers those of the first 200 that they may see. */
  total: Type.Integer({ minimum: 0 }),
  /** How many of them are in each state; nothing for viewers, who find what is live. */
  states: Type.Record(Type.String(), Type.Integer()),
});
export type TitleSearchReply = Static<typeof TitleSearchReply>;
