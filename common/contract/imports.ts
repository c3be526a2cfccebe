import { ArtworkKind } from './artwork.ts';
import { Language, Line, ObjectId, TimeMs } from './primitives.ts';
import { CaptionFiles } from './titles.ts';
import { Assumed, ExternalId, titleTold, TitleKind } from './title-metadata.ts';
import { Type, type Static } from './type.ts';

/** How many titles are imported at a time. */
export const importEntriesMax = 100;

const ExternalIds = Type.Array(ExternalId, { minItems: 1, maxItems: 20 });
const FormerIds = Type.Optional(Type.Array(ExternalId, { maxItems: 20 }));

/** A picture: by `path` (under an ingest root) or `uploadId`; in a dry run by neither where it will be uploaded. */
const ImportPicture = Type.Object(
  {
    ...{ kind: ArtworkKind, language: Type.Optional(Language), uploadId: Type.Optional(ObjectId) },
    path: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    mark: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  },
  { additionalProperties: false },
);
export type ImportPicture = Static<typeof ImportPicture>;

/**
 * One title as it is imported. It is the title that has one of its external ids already, or a new one; what is not there stays as it is,
 * and what was told of it before already, so that nobody's change is undone by a repetition.
 * A new title that has a video names it by `path` (under an ingest root) or `uploadId`.
 */
export const ImportEntry = Type.Object(
  {
    name: Line,
    ...titleTold,
    externalIds: ExternalIds,
    /** By which it was once known: looked up where its external ids are of no title, and not kept. */
    formerIds: FormerIds,
    /** What it is part of, by one of that one's external ids. */
    partOf: Type.Optional(ExternalId),
    path: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    uploadId: Type.Optional(ObjectId),
    /** In a dry run by neither `path` nor `uploadId` where they will be uploaded. */
    captions: Type.Optional(CaptionFiles),
    /** What tells the video, with its captions, from another of the same path: their sizes and times. */
    videoMark: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    /** Its pictures; `mark` tells one from another of the same path. */
    artwork: Type.Optional(Type.Array(ImportPicture, { maxItems: 40 })),
    /** What was guessed from the file: only a new title takes it. */
    assumed: Type.Optional(Assumed),
  },
  { additionalProperties: false },
);
export type ImportEntry = Static<typeof ImportEntry>;

/** `failed`; `replaced`: made of another video than lies there now, and not played until that one is made; `withdrawn`. */
export const AgainOf = Type.Union([
  Type.Literal('failed'),
  Type.Literal('replaced'),
  Type.Literal('withdrawn'),
]);
export type AgainOf = Static<typeof AgainOf>;

/** Entries are judged one by one: one that is wrong holds no other up. */
export const ImportRequest = Type.Object(
  {
    /** Nothing is changed; the answer is what would be. */
    dryRun: Type.Optional(Type.Boolean()),
    /** Takes videos anew of titles that are one of these. */
    again: Type.Optional(Type.Array(AgainOf, { maxItems: 3 })),
    entries: Type.Array(
      Type.Object(
        {
          /** Where it stands in its file, from 1. */
          line: Type.Integer({ minimum: 1 }),
          /** An `ImportEntry`. */
          entry: Type.Unknown(),
          /** Of a dry run: its video will be uploaded if it turns out to be wanted. */
          uploads: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: importEntriesMax },
    ),
    /** Of a dry run: what earlier requests of it would have made or known again, as far as entries are part of it. */
    expected: Type.Optional(
      Type.Array(
        Type.Object(
          { externalIds: ExternalIds, formerIds: FormerIds, kind: TitleKind },
          { additionalProperties: false },
        ),
        { maxItems: importEntriesMax },
      ),
    ),
  },
  { additionalProperties: false },
);
export type ImportRequest = Static<typeof ImportRequest>;

/**
 * `unchanged` and `changed`: there was a title with one of its external ids. `refused`: nothing was done, `code` and `detail` say why.
 * SOURCE_REPLACED beside another outcome: the video was left alone, `again` with `replaced` takes it once nothing is made of the title.
 */
export const ImportOutcome = Type.Union([
  Type.Literal('created'),
  Type.Literal('changed'),
  Type.Literal('unchanged'),
  Type.Literal('refused'),
]);
export type ImportOutcome = Static<typeof ImportOutcome>;

export const ImportResult = Type.Object({
  line: Type.Integer({ minimum: 1 }),
  outcome: ImportOutcome,
  /** Not of what a dry run would have made. */
  titleId: Type.Optional(ObjectId),
  /** Its video is taken: of a new title, or anew. */
  takesVideo: Type.Optional(Type.Boolean()),
  /** Which of its pictures are taken, by their places in the entry. */
  takesArtwork: Type.Optional(Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 40 })),
  /** Of SOURCE_REPLACED: the title is being made, and is judged otherwise once that is done. */
  atWork: Type.Optional(Type.Boolean()),
  code: Type.Optional(Type.String()),
  detail: Type.Optional(Type.String()),
});
export type ImportResult = Static<typeof ImportResult>;

/** In the order of the entries. */
export const ImportReply = Type.Object({ results: Type.Array(ImportResult) });
export type ImportReply = Static<typeof ImportReply>;

/** What the last look at a watched folder found wrong. */
const ImportProblem = Type.Object({
  file: Type.String(),
  line: Type.Optional(Type.Integer({ minimum: 1 })),
  code: Type.String(),
  detail: Type.String(),
});
export type ImportProblem = Static<typeof ImportProblem>;

/** A folder whose films become titles by themselves. */
export const WatchedFolder = Type.Object({
  path: Type.String(),
  /** When it was looked through last; absent before the first time. */
  lookedAtMs: Type.Optional(TimeMs),
  /** How many titles are in it. */
  titles: Type.Integer({ minimum: 0 }),
  /** The first hundred of them. */
  problems: Type.Array(ImportProblem, { maxItems: 100 }),
});
export type WatchedFolder = Static<typeof WatchedFolder>;

export const WatchedFolders = Type.Object({ folders: Type.Array(WatchedFolder) });
