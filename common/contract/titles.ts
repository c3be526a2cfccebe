import { Type, type Static } from './type.ts';
import { ArtworkKind, ArtworkKinds, TitlePicture } from './artwork.ts';
import { CaptionKind } from './bundle.ts';
import { Availability } from './release.ts';
import { Assumed, TitleDetails, titleFacts, titleStory, titleTold } from './title-metadata.ts';
import { FileName, Fraction, Language, Line, ObjectId, PlaceName, SizeBytes, TimeMs } from './primitives.ts';

export const UploadRequest = Type.Object(
  { filename: Line, sizeBytes: SizeBytes },
  { additionalProperties: false },
);
export type UploadRequest = Static<typeof UploadRequest>;

/** An upload continues at `offsetBytes` with `PATCH /v1/uploads/<id>` and the header `upload-offset`. */
export const UploadView = Type.Object({
  uploadId: ObjectId,
  filename: Line,
  sizeBytes: SizeBytes,
  offsetBytes: SizeBytes,
  complete: Type.Boolean(),
});
export type UploadView = Static<typeof UploadView>;

/** How a launch is expected to go, over all sites: what popularity stands on until it is known. No viewings: no forecast. */
export const LaunchForecast = Type.Object(
  { viewingsPerDay: Type.Integer({ minimum: 0, maximum: 1_000_000_000 }), launchAtMs: TimeMs },
  { additionalProperties: false },
);
export type LaunchForecast = Static<typeof LaunchForecast>;

/** So many files of captions are taken beside a video, each of at most so many bytes. */
export const captionFilesMax = 32;
export const captionFileSizeBytesMax = 8 * 1024 * 1024;

/** A file of captions beside a video (SubRip, WebVTT, ASS), by exactly one of `uploadId` and `path`. */
export const CaptionFile = Type.Object(
  {
    /** Unknown when absent. */
    language: Type.Optional(Language),
    /** `subtitles` when absent. */
    kind: Type.Optional(CaptionKind),
    uploadId: Type.Optional(ObjectId),
    path: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  },
  { additionalProperties: false },
);
export type CaptionFile = Static<typeof CaptionFile>;

/** One of each language and kind. */
export const CaptionFiles = Type.Array(CaptionFile, { maxItems: captionFilesMax });

/** What was left out of a title, and why; for people. */
const Notices = Type.Array(Type.String({ maxLength: 300 }), { maxItems: 40 });

/** Exactly one of `uploadId` and `path` (under a configured ingest root); neither for series and seasons. */
export const TitleRequest = Type.Object(
  {
    name: Line,
    uploadId: Type.Optional(ObjectId),
    path: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    captions: Type.Optional(CaptionFiles),
    /** Held by every cluster whatever its popularity. */
    pinned: Type.Optional(Type.Boolean()),
    /** Boxes fill it at once, whatever their window. */
    urgent: Type.Optional(Type.Boolean()),
    forecast: Type.Optional(LaunchForecast),
    details: Type.Optional(TitleDetails),
    /** What of this was guessed: the source's own tags may tell it better. */
    assumed: Type.Optional(Assumed),
  },
  { additionalProperties: false },
);
export type TitleRequest = Static<typeof TitleRequest>;

export const TitlePatch = Type.Object(
  {
    name: Type.Optional(Line),
    pinned: Type.Optional(Type.Boolean()),
    urgent: Type.Optional(Type.Boolean()),
    forecast: Type.Optional(LaunchForecast),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type TitlePatch = Static<typeof TitlePatch>;

export const TitleState = Type.Union([
  Type.Literal('queued'),
  Type.Literal('encoding'),
  Type.Literal('filling'),
  Type.Literal('live'),
  Type.Literal('failed'),
  Type.Literal('withdrawn'),
]);
export type TitleState = Static<typeof TitleState>;

export const TitleView = Type.Object({
  id: ObjectId,
  name: Line,
  pinned: Type.Boolean(),
  urgent: Type.Optional(Type.Boolean()),
  forecast: Type.Optional(LaunchForecast),
  state: TitleState,
  createdAtMs: TimeMs,
  /** Progress of the encode while encoding; of the fill while filling. */
  progress: Fraction,
  stage: Type.String({ maxLength: 100 }),
  error: Type.Optional(Type.Object({ code: Type.String(), detail: Type.String() })),
  /** Of one title, not in lists. */
  notices: Type.Optional(Notices),
  bundle: Type.Optional(FileName),
  sizeBytes: Type.Optional(SizeBytes),
  durationMs: Type.Optional(Type.Integer()),
  renditions: Type.Array(Type.String()),
  /** Nodes that hold the whole bundle, origin included. */
  holders: Type.Array(Type.String()),
  /** Bytes served over the smoothing window ÷ bundle size. */
  popularity: Type.Number({ minimum: 0 }),
  /** Of a live title: sites whose viewers cannot play it yet, since too few copies stand there. */
  waitingSites: Type.Optional(Type.Array(PlaceName)),
  /** The video that takes the place of this one, which is played until that one is live. */
  replacement: Type.Optional(
    Type.Object({
      state: Type.Union([
        Type.Literal('queued'),
        Type.Literal('encoding'),
        Type.Literal('filling'),
        Type.Literal('failed'),
      ]),
      progress: Fraction,
      stage: Type.String({ maxLength: 100 }),
      error: Type.Optional(Type.Object({ code: Type.String(), detail: Type.String() })),
      bundle: Type.Optional(FileName),
    }),
  ),
  /** Bundles of before, the newest first: played yet at `sites`, or held for running sessions until `heldUntilMs`. */
  former: Type.Optional(
    Type.Array(
      Type.Object({
        bundle: FileName,
        sites: Type.Optional(Type.Array(PlaceName)),
        heldUntilMs: Type.Optional(TimeMs),
      }),
    ),
  ),
  /** What its own release makes of it now, somewhere. */
  availability: Type.Optional(Availability),
  ...titleFacts,
  /** Pictures in the caller's languages, one a kind: of one title, and in lists of the kinds that are asked for. */
  artwork: Type.Optional(Type.Array(TitlePicture)),
  /** Of one title, not in lists. */
  ...titleStory,
});
export type TitleView = Static<typeof TitleView>;
const seenBy = {
  profileId: Type.Optional(ObjectId),
  /** Kinds of pictures that a list is to have; of one title all where it is absent. */
  artwork: Type.Optional(ArtworkKinds),
};

/** `profileId`: who watches, one of the caller's own; to viewers nothing is shown beyond its maturity. */
export const TitleQuery = Type.Object(seenBy, { additionalProperties: false });

const Cursor = Type.String({ pattern: '^[0-9]{1,16}-[A-Za-z0-9_-]{8,64}$' });

/** A page of titles; what is asked for narrows it down. */
export const TitleListQuery = Type.Object(
  {
    ...seenBy,
    /** The `next` of the page before. */
    after: Type.Optional(Cursor),
    limit: Type.Integer({ default: 100, minimum: 1, maximum: 1000 }),
    /** Called exactly so, upper and lower case aside. */
    name: Type.Optional(Line),
    state: Type.Optional(TitleState),
  },
  { additionalProperties: false },
);
export type TitleListQuery = Static<typeof TitleListQuery>;

/** Oldest first; `next` is the `after` of the page behind it. What is there all the while is on one page, once, whatever else is written. */
export const TitleList = Type.Object({ titles: Type.Array(TitleView), next: Type.Optional(Cursor) });
export type TitleList = Static<typeof TitleList>;

/** What an encoder makes; an encoder of before makes videos. */
export const EncodeCraft = Type.Union([Type.Literal('video'), Type.Literal('picture')]);
export type EncodeCraft = Static<typeof EncodeCraft>;

export const EncodeLeaseRequest = Type.Object(
  {
    waitMs: Type.Integer({ minimum: 0, maximum: 30_000 }),
    /** `['video']` when absent. */
    makes: Type.Optional(Type.Array(EncodeCraft, { minItems: 1, maxItems: 2 })),
  },
  { additionalProperties: false },
);

/** A job leased to one encoder; the lease ends `leaseMs` after the last progress. */
export const EncodeJob = Type.Object({
  jobId: ObjectId,
  leaseId: Type.String({ minLength: 8, maxLength: 64 }),
  leaseMs: Type.Integer({ minimum: 1000 }),
  titleId: ObjectId,
  name: Line,
  /** Key of the source in blobs. */
  sourceKey: Type.String({ maxLength: 512 }),
  sizeBytes: SizeBytes,
  attempt: Type.Integer({ minimum: 1 }),
  /** Files of captions beside a video. */
  captions: Type.Optional(
    Type.Array(
      Type.Object({
        /** In blobs. */
        key: Type.String({ maxLength: 512 }),
        sizeBytes: SizeBytes,
        language: Language,
        kind: CaptionKind,
        /** For people. */
        name: Line,
      }),
      { maxItems: captionFilesMax },
    ),
  ),
  /** Of a picture: which artwork it is, and what for; absent for a video. */
  picture: Type.Optional(Type.Object({ artwork: ObjectId, kind: ArtworkKind })),
});
export type EncodeJob = Static<typeof EncodeJob>;

export const EncodeProgress = Type.Object(
  {
    leaseId: Type.String({ minLength: 8, maxLength: 64 }),
    fraction: Fraction,
    stage: Type.String({ maxLength: 100 }),
  },
  { additionalProperties: false },
);
export type EncodeProgress = Static<typeof EncodeProgress>;

/** What a source's own tags tell of the title in it. */
export const SourceTags = Type.Object(
  {
    name: Type.Optional(Line),
    number: titleTold.number,
    year: titleTold.year,
    synopsis: titleTold.synopsis,
    genres: titleTold.genres,
  },
  { additionalProperties: false },
);
export type SourceTags = Static<typeof SourceTags>;

/** `bundle` was published, with all of its files, before this is sent. */
export const EncodeComplete = Type.Object(
  {
    leaseId: Type.String({ minLength: 8, maxLength: 64 }),
    bundle: FileName,
    tags: Type.Optional(SourceTags),
    notices: Type.Optional(Notices),
  },
  { additionalProperties: false },
);
export type EncodeComplete = Static<typeof EncodeComplete>;

/** `final`: the source is at fault, trying again cannot help. */
export const EncodeFail = Type.Object(
  {
    leaseId: Type.String({ minLength: 8, maxLength: 64 }),
    code: Type.String({ maxLength: 64 }),
    detail: Type.String({ maxLength: 2000 }),
    final: Type.Boolean(),
  },
  { additionalProperties: false },
);
export type EncodeFail = Static<typeof EncodeFail>;
