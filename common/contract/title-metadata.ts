import { Language, Line, Maturity, ObjectId } from './primitives.ts';
import { Release } from './release.ts';
import { Type, type Static } from './type.ts';

/** Series and seasons have no video of their own: they hold what has. */
export const TitleKind = Type.Union([
  Type.Literal('movie'),
  Type.Literal('series'),
  Type.Literal('season'),
  Type.Literal('episode'),
  Type.Literal('extra'),
]);
export type TitleKind = Static<typeof TitleKind>;

export const yearMin = 1870;
export const yearMax = 2200;
export const Year = Type.Integer({ minimum: yearMin, maximum: yearMax });

const Synopsis = Type.String({ minLength: 1, maxLength: 5000 });

const TitlePerson = Type.Object(
  {
    name: Line,
    role: Type.Union([
      Type.Literal('actor'),
      Type.Literal('director'),
      Type.Literal('writer'),
      Type.Literal('producer'),
      Type.Literal('composer'),
      Type.Literal('host'),
    ]),
    /** Whom an actor plays. */
    character: Type.Optional(Line),
  },
  { additionalProperties: false },
);

/** What a title is called and told in one language. */
const TitleTranslation = Type.Object(
  { language: Language, name: Type.Optional(Line), synopsis: Type.Optional(Synopsis) },
  { additionalProperties: false },
);

/** What a title is called elsewhere, after whose name it is: `imdb:tt0092337`, `id:42`. No two titles have the same. */
export const ExternalId = Type.String({
  pattern: '^[a-z][a-z0-9]{0,15}:\\S[^\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069]*$',
  maxLength: 256,
});

const AssumedField = Type.Union([Type.Literal('name'), Type.Literal('year'), Type.Literal('kind')]);
export type AssumedField = Static<typeof AssumedField>;

/** What a title has by guess, until somebody tells it or its file's own tags do. */
export const Assumed = Type.Array(AssumedField, { maxItems: 3 });

/** What is told of a title wherever it comes from. */
export const titleTold = {
  /** `movie` when absent. */
  kind: Type.Optional(TitleKind),
  /** Which season, episode or extra it is; 0 for specials. */
  number: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000 })),
  year: Type.Optional(Year),
  /** From what age on; what is part of something has at least that one's. */
  maturity: Type.Optional(Maturity),
  synopsis: Type.Optional(Synopsis),
  /** Other names by which it is found. */
  aliases: Type.Optional(Type.Array(Line, { maxItems: 20 })),
  genres: Type.Optional(Type.Array(Line, { maxItems: 20 })),
  people: Type.Optional(Type.Array(TitlePerson, { maxItems: 100 })),
  translations: Type.Optional(Type.Array(TitleTranslation, { maxItems: 50 })),
  /** Published everywhere and always when absent. */
  release: Type.Optional(Release),
};

const details = {
  ...titleTold,
  /** What it is part of: a season's series, an episode's season or series, what an extra belongs to. */
  parentId: Type.Optional(ObjectId),
  /** By what imports know it again. */
  externalIds: Type.Optional(Type.Array(ExternalId, { maxItems: 20 })),
};

/** What is told of a title beside its name. */
export const TitleDetails = Type.Object(details, { additionalProperties: false });
export type TitleDetails = Static<typeof TitleDetails>;

/** All of a title that is edited, put as a whole. */
export const TitleMetadata = Type.Object({ name: Line, ...details }, { additionalProperties: false });
export type TitleMetadata = Static<typeof TitleMetadata>;

/** `etag` is what a change names as `If-Match`, so that nobody's change is lost. */
export const TitleMetadataView = Type.Object({ etag: Type.String(), metadata: TitleMetadata });
export type TitleMetadataView = Static<typeof TitleMetadataView>;

/** What lists show of it. */
export const titleFacts = {
  kind: details.kind,
  parentId: details.parentId,
  number: details.number,
  year: details.year,
  maturity: details.maturity,
  genres: details.genres,
};

/** What is shown of one title beyond that. */
export const titleStory = { synopsis: details.synopsis, people: details.people };
