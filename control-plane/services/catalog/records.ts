import { Type, type Static } from '../../../common/contract/type.ts';
import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { CaptionKind } from '../../../common/contract/bundle.ts';
import {
  FileName,
  Language,
  Line,
  ObjectId,
  PlaceName,
  SizeBytes,
  TimeMs,
} from '../../../common/contract/primitives.ts';
import { Assumed, TitleDetails } from '../../../common/contract/title-metadata.ts';
import { ArtworkFile, ArtworkKind } from '../../../common/contract/artwork.ts';
import { captionFilesMax, LaunchForecast } from '../../../common/contract/titles.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

/** An upload that is not a title's source yet. */
export const UploadRecord = Type.Object({
  version: Type.Literal(1),
  uploadId: ObjectId,
  filename: Line,
  sizeBytes: SizeBytes,
  /** Bytes that are on the disk for certain: where the upload continues after a crash. */
  offsetBytes: SizeBytes,
  createdAtMs: TimeMs,
  touchedAtMs: TimeMs,
  /** The title that is made from it. */
  titleId: Type.Optional(ObjectId),
});
export type UploadRecord = Static<typeof UploadRecord>;

/** Where a title's bytes come from before they are in blobs. */
export const TitleSource = Type.Union([
  Type.Object({ kind: Type.Literal('upload'), uploadId: ObjectId }),
  Type.Object({ kind: Type.Literal('path'), path: Type.String({ maxLength: 4096 }) }),
  /** Of series and seasons, which have no bytes. */
  Type.Object({ kind: Type.Literal('none') }),
]);
export type TitleSource = Static<typeof TitleSource>;

/** A file of captions beside a title's video. */
const TitleCaptions = Type.Object({
  source: Type.Union([
    Type.Object({ kind: Type.Literal('upload'), uploadId: ObjectId }),
    Type.Object({ kind: Type.Literal('path'), path: Type.String({ maxLength: 4096 }) }),
  ]),
  sizeBytes: SizeBytes,
  language: Language,
  kind: CaptionKind,
  /** For people. */
  name: Line,
});
export type TitleCaptions = Static<typeof TitleCaptions>;

export const TitleJob = Type.Object({
  jobId: ObjectId,
  state: Type.Union([
    Type.Literal('queued'),
    Type.Literal('leased'),
    Type.Literal('done'),
    Type.Literal('failed'),
  ]),
  /** How many encoders have had it. */
  attempt: Type.Integer({ minimum: 0 }),
  leaseId: Type.Optional(Type.String()),
  worker: Type.Optional(Type.String()),
});
export type TitleJob = Static<typeof TitleJob>;

export const TitleBundle = Type.Object({
  bundle: FileName,
  durationMs: Type.Integer(),
  renditions: Type.Array(Type.String()),
  files: Type.Array(Type.Object({ file: FileName, ext: Type.String(), sizeBytes: SizeBytes })),
});
export type TitleBundle = Static<typeof TitleBundle>;

const CodedError = Type.Object({ code: Type.String(), detail: Type.String() });

/** A video on its way from its source to its files. */
const making = {
  source: TitleSource,
  sourceSizeBytes: SizeBytes,
  /** Whether blobs hold the source. */
  sourceStored: Type.Boolean(),
  /** Files of captions beside it, which blobs hold as long as the source. */
  captions: Type.Optional(Type.Array(TitleCaptions, { maxItems: captionFilesMax })),
  /** What was left out of it, and why. */
  notices: Type.Optional(Type.Array(Type.String())),
  job: Type.Optional(TitleJob),
  error: Type.Optional(CodedError),
  bundle: Type.Optional(TitleBundle),
  /** What tells its source from another of the same path; see `ImportEntry`. */
  sourceMark: Type.Optional(Type.String()),
};

/** Of a live bundle: sites whose viewers wait until enough copies stand there. It only becomes fewer. */
const WaitingSites = Type.Optional(Type.Array(PlaceName));

/** The video that takes the place of the one on the air, which is played until this one is live. */
export const TitleReplacement = Type.Object({
  phase: Type.Union([
    Type.Literal('storing'),
    Type.Literal('queued'),
    Type.Literal('encoding'),
    Type.Literal('filling'),
    Type.Literal('failed'),
  ]),
  ...making,
});
export type TitleReplacement = Static<typeof TitleReplacement>;

/** What was on the air before and is played yet at the sites that wait for all that came after it. */
export const FormerBundle = Type.Object({ bundle: TitleBundle, waitingSites: WaitingSites });
export type FormerBundle = Static<typeof FormerBundle>;

/** How many videos of before one title may have on the air. */
export const formerMax = 8;

/** A title with its encode job: one document, so that they never disagree. */
export const TitleRecord = Type.Object({
  version: Type.Literal(1),
  id: ObjectId,
  name: Line,
  pinned: Type.Boolean(),
  urgent: Type.Optional(Type.Boolean()),
  forecast: Type.Optional(LaunchForecast),
  createdAtMs: TimeMs,
  /** `storing`: the source is being brought into blobs. */
  phase: Type.Union([
    Type.Literal('storing'),
    Type.Literal('queued'),
    Type.Literal('encoding'),
    Type.Literal('filling'),
    Type.Literal('live'),
    Type.Literal('failed'),
    Type.Literal('withdrawn'),
  ]),
  ...making,
  waitingSites: WaitingSites,
  replacement: Type.Optional(TitleReplacement),
  /** The newest first. */
  former: Type.Optional(Type.Array(FormerBundle, { maxItems: formerMax })),
  details: Type.Optional(TitleDetails),
  /** What the last import told of it: by field a hash, so that only what is new changes anything. */
  told: Type.Optional(Type.Record(Type.String(), Type.String())),
  assumed: Type.Optional(Assumed),
});
export type TitleRecord = Static<typeof TitleRecord>;

/** A picture of a title with its encode job. Several of one kind and language may stand until the newest is made. */
export const ArtworkRecord = Type.Object({
  version: Type.Literal(1),
  id: ObjectId,
  titleId: ObjectId,
  kind: ArtworkKind,
  language: Type.Optional(Language),
  createdAtMs: TimeMs,
  phase: Type.Union([
    Type.Literal('queued'),
    Type.Literal('encoding'),
    Type.Literal('made'),
    Type.Literal('failed'),
  ]),
  sourceSizeBytes: SizeBytes,
  /** Whether blobs hold the source. */
  sourceStored: Type.Boolean(),
  /** What tells its source from another: what an import goes by, else a hash of it. */
  mark: Type.String(),
  job: Type.Optional(TitleJob),
  error: Type.Optional(Type.Object({ code: Type.String(), detail: Type.String() })),
  bundle: Type.Optional(
    Type.Object({ bundle: FileName, sizeBytes: SizeBytes, files: Type.Array(ArtworkFile) }),
  ),
});
export type ArtworkRecord = Static<typeof ArtworkRecord>;

/** A bundle that nothing new is made of, by `<title>/<bundle>`. Written before its title or picture lets go of it, so that none is forgotten. */
export const DepartureRecord = Type.Object({
  version: Type.Literal(1),
  titleId: ObjectId,
  name: Type.String({ maxLength: 300 }),
  of: Type.Union([Type.Literal('title'), Type.Literal('artwork')]),
  bundle: FileName,
  /** Every file, the bundle's own included. */
  files: Type.Array(Type.Object({ file: FileName, ext: Type.String(), sizeBytes: SizeBytes })),
  pinned: Type.Boolean(),
  departedAtMs: TimeMs,
  /** Boxes hold it until then: a token for it may be in use. */
  heldUntilMs: TimeMs,
  /** Whether its files were removed from blobs. */
  removed: Type.Boolean(),
});
export type DepartureRecord = Static<typeof DepartureRecord>;

/** Opens the catalog's collection of departures. */
export function openDepartureRecords(records: Records): Collection<DepartureRecord> {
  return openCollection(records, 'departures', (value) =>
    parseAs(DepartureRecord, value, { what: 'the record of a departure', code: 'STORE_CORRUPT' }),
  );
}

/** Opens the catalog's collection of artwork, by artwork id. */
export function openArtworkRecords(records: Records): Collection<ArtworkRecord> {
  return openCollection(records, 'artwork', (value) =>
    parseAs(ArtworkRecord, value, { what: 'the record of an artwork', code: 'STORE_CORRUPT' }),
  );
}

/** Opens the catalog's collection of uploads, by upload id. */
export function openUploadRecords(records: Records): Collection<UploadRecord> {
  return openCollection(records, 'uploads', (value) =>
    parseAs(UploadRecord, value, { what: 'the record of an upload', code: 'STORE_CORRUPT' }),
  );
}

/** Opens the catalog's collection of titles, by title id. */
export function openTitleRecords(records: Records): Collection<TitleRecord> {
  return openCollection(records, 'titles', (value) =>
    parseAs(TitleRecord, value, { what: 'the record of a title', code: 'STORE_CORRUPT' }),
  );
}
