import { FileName, Language, ObjectId, SizeBytes, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** What a picture is for: a poster stands upright, a backdrop fills a screen, a logo may be seen through, a still is of the video. */
export const ArtworkKind = Type.Union([
  Type.Literal('poster'),
  Type.Literal('backdrop'),
  Type.Literal('logo'),
  Type.Literal('still'),
]);
export type ArtworkKind = Static<typeof ArtworkKind>;

const Pixels = Type.Integer({ minimum: 1, maximum: 65_535 });

/** One picture in one size and one format. */
export const ArtworkFile = Type.Object({
  file: FileName,
  ext: Type.Union([Type.Literal('jpg'), Type.Literal('png'), Type.Literal('webp'), Type.Literal('avif')]),
  sizeBytes: SizeBytes,
  width: Pixels,
  height: Pixels,
});
export type ArtworkFile = Static<typeof ArtworkFile>;

/** A picture in all of its sizes, itself a file: what a picture's token covers. It names its artwork, so no two are the same bundle. */
export const ArtworkBundle = Type.Object({
  version: Type.Literal(1),
  artwork: ObjectId,
  files: Type.Array(ArtworkFile, { minItems: 1, maxItems: 40 }),
});
export type ArtworkBundle = Static<typeof ArtworkBundle>;

/** Exactly one of `uploadId` and `path` (under a configured ingest root). It takes the place of what the title has of this kind and language. */
export const ArtworkRequest = Type.Object(
  {
    kind: ArtworkKind,
    /** Of what is written in it; absent for all. */
    language: Type.Optional(Language),
    uploadId: Type.Optional(ObjectId),
    path: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  },
  { additionalProperties: false },
);
export type ArtworkRequest = Static<typeof ArtworkRequest>;

/** An artwork of a title as operators see it. */
export const ArtworkView = Type.Object({
  id: ObjectId,
  titleId: ObjectId,
  kind: ArtworkKind,
  language: Type.Optional(Language),
  state: Type.Union([
    Type.Literal('queued'),
    Type.Literal('encoding'),
    Type.Literal('live'),
    Type.Literal('failed'),
  ]),
  createdAtMs: TimeMs,
  error: Type.Optional(Type.Object({ code: Type.String(), detail: Type.String() })),
  bundle: Type.Optional(FileName),
  /** All sizes together. */
  sizeBytes: Type.Optional(SizeBytes),
  files: Type.Optional(Type.Array(ArtworkFile)),
  /** Nodes that hold all of it. */
  holders: Type.Array(Type.String()),
});
export type ArtworkView = Static<typeof ArtworkView>;

export const ArtworkList = Type.Object({ artwork: Type.Array(ArtworkView) });

/**
 * A picture as pages show it. `url` is of one that everything shows; `sizes` are all, each by its `name` relative to `url`, so that
 * `new URL(name, url)` with ` 320w` behind it is what `srcset` takes. URLs stay the same for half a day.
 */
export const TitlePicture = Type.Object({
  kind: ArtworkKind,
  language: Type.Optional(Language),
  /** Of the largest. */
  width: Pixels,
  height: Pixels,
  url: Type.String(),
  sizes: Type.Array(Type.Object({ name: Type.String(), type: Type.String(), width: Pixels, height: Pixels })),
});
export type TitlePicture = Static<typeof TitlePicture>;

const kindPattern = '(?:poster|backdrop|logo|still)';

/** Kinds of pictures, with commas between them. */
export const ArtworkKinds = Type.String({ pattern: `^${kindPattern}(?:,${kindPattern}){0,3}$` });

/** `titles`: ids with commas between them, at most a hundred. `profileId`: as for titles. */
export const ArtworkQuery = Type.Object(
  {
    titles: Type.String({ minLength: 1, maxLength: 6500, pattern: '^[\\w-]{1,64}(,[\\w-]{1,64}){0,99}$' }),
    artwork: Type.Optional(ArtworkKinds),
    profileId: Type.Optional(ObjectId),
  },
  { additionalProperties: false },
);

/** In the order in which they were asked for, without those that the caller may not see. */
export const ArtworkOfTitles = Type.Object({
  titles: Type.Array(Type.Object({ titleId: ObjectId, artwork: Type.Array(TitlePicture) })),
});
