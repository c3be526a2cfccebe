import { Line, Maturity, ObjectId } from './primitives.ts';
import { TitleKind, Year } from './title-metadata.ts';
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
    kind: Type.Optional(TitleKind),
    genre: Type.Optional(Line),
    /** Somebody who has a part in it, by the whole name. */
    person: Type.Optional(Line),
    yearFrom: Type.Optional(Year),
    yearTo: Type.Optional(Year),
    /** Rated for this age at most; what is not rated is left out. */
    maturityMax: Type.Optional(Maturity),
    /** With how many of what is found are of each kind, genre, year and rating. */
    facets: Type.Optional(Type.Boolean()),
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
  /** How many there are altogether, counted up to 1,000; for viewers those that they may see. */
  total: Type.Integer({ minimum: 0 }),
  /** How many of them are in each state; nothing for viewers, who find what is live. */
  states: Type.Record(Type.String(), Type.Integer()),
  /** By `kind`, `genre`, `year` and `maturity`: how many have each value, the hundred most frequent. */
  facets: Type.Optional(Type.Record(Type.String(), Type.Record(Type.String(), Type.Integer()))),
});
export type TitleSearchReply = Static<typeof TitleSearchReply>;
