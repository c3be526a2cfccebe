import { Type, type Static } from './type.ts';
import { FileName, SizeBytes } from './primitives.ts';

/** One segment: [offset in bytes, length in bytes, duration in ticks of the timescale]. */
export const Segment = Type.Tuple([
  Type.Integer({ minimum: 0 }),
  Type.Integer({ minimum: 1 }),
  Type.Integer({ minimum: 1 }),
]);
export type Segment = Static<typeof Segment>;

/** What is needed to address a single-file fragmented MP4 by byte ranges. */
const MediaIndex = {
  file: FileName,
  playlist: FileName,
  codecs: Type.String({ maxLength: 64 }),
  averageBandwidth: Type.Integer({ minimum: 1 }),
  peakBandwidth: Type.Integer({ minimum: 1 }),
  timescale: Type.Integer({ minimum: 1 }),
  initLengthBytes: Type.Integer({ minimum: 1 }),
  segments: Type.Array(Segment, { minItems: 1, maxItems: 65_535 }),
};

/** How bright and how colourful a picture may be: `sdr` in BT.709, `pq` (SMPTE ST 2084, HDR10) and `hlg` (ARIB STD-B67) in BT.2020. */
export const VideoRange = Type.Union([Type.Literal('sdr'), Type.Literal('pq'), Type.Literal('hlg')]);
export type VideoRange = Static<typeof VideoRange>;

export const VideoRendition = Type.Object({
  ...MediaIndex,
  id: Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$' }),
  width: Type.Integer({ minimum: 1 }),
  height: Type.Integer({ minimum: 1 }),
  frameRate: Type.Number({ minimum: 0 }),
  iframePlaylist: FileName,
  iframeBandwidth: Type.Integer({ minimum: 1 }),
  /** `sdr` where absent. */
  videoRange: Type.Optional(VideoRange),
});
export type VideoRendition = Static<typeof VideoRendition>;

export const AudioRendition = Type.Object({
  ...MediaIndex,
  id: Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$' }),
  language: Type.String({ pattern: '^[A-Za-z0-9-]{2,35}$' }),
  channels: Type.Integer({ minimum: 1, maximum: 64 }),
  sampleRateHz: Type.Integer({ minimum: 1 }),
});
export type AudioRendition = Static<typeof AudioRendition>;

export const CaptionKind = Type.Union([
  Type.Literal('subtitles'),
  /** With the sounds too, for those who hear little (SDH). */
  Type.Literal('captions'),
  /** Only what is not spoken in the film's own language: signs, a stranger's words. */
  Type.Literal('forced'),
]);
export type CaptionKind = Static<typeof CaptionKind>;

/** What is read on the picture: one WebVTT file of the whole length, its times those of the presentation. */
export const CaptionTrack = Type.Object({
  id: Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$' }),
  language: Type.String({ pattern: '^[A-Za-z0-9-]{2,35}$' }),
  kind: CaptionKind,
  file: FileName,
  playlist: FileName,
});
export type CaptionTrack = Static<typeof CaptionTrack>;

/** Thumbnails in a grid of tiles per sprite image. */
export const Thumbnails = Type.Object({
  vtt: FileName,
  sprites: Type.Array(FileName, { minItems: 1, maxItems: 1000 }),
  tileWidth: Type.Integer({ minimum: 1 }),
  tileHeight: Type.Integer({ minimum: 1 }),
  columns: Type.Integer({ minimum: 1 }),
  rows: Type.Integer({ minimum: 1 }),
  intervalMs: Type.Integer({ minimum: 1 }),
});

export const BundleFileRole = Type.Union([
  Type.Literal('video'),
  Type.Literal('audio'),
  Type.Literal('playlist'),
  Type.Literal('iframe-playlist'),
  Type.Literal('poster'),
  Type.Literal('sprite'),
  Type.Literal('thumbnails'),
  Type.Literal('captions'),
]);

/** A title's files, itself a file (ADR 2): the unit of a token, of a pathway and of rendezvous. */
export const Bundle = Type.Object({
  version: Type.Literal(1),
  durationMs: Type.Integer({ minimum: 1 }),
  /** Every file of the title but the bundle itself. */
  files: Type.Array(
    Type.Object({
      file: FileName,
      ext: Type.String({ pattern: '^[a-z0-9]{2,6}$' }),
      role: BundleFileRole,
      sizeBytes: SizeBytes,
    }),
    { minItems: 1, maxItems: 10_000 },
  ),
  video: Type.Array(VideoRendition, { minItems: 1, maxItems: 32 }),
  audio: Type.Array(AudioRendition, { maxItems: 32 }),
  /** None where absent. */
  captions: Type.Optional(Type.Array(CaptionTrack, { maxItems: 32 })),
  poster: FileName,
  thumbnails: Thumbnails,
});
export type Bundle = Static<typeof Bundle>;
