import { Entitlements } from './billing.ts';
import { CaptionKind } from './bundle.ts';
import { Type, type Static } from './type.ts';
import { FileName, IpAddress, Line, NodeId, ObjectId, TimeMs } from './primitives.ts';
import { RowEvent } from './rows.ts';
import { Pathway } from './steering.ts';

/**
 * What a device plays. `codecs` as RFC 6381 writes them: with profile and level what it decodes at most (`avc1.640028`), or all of a codec
 * (`av01`); whatever there is when absent. `heightMax`: lines of its picture. `hdr`: what it shows beside SDR; nothing when absent. `drm`: its
 * key systems (`com.widevine.alpha`, `urn:uuid:…`), which nothing is left out for, since files are not encrypted.
 */
export const PlaybackCapabilities = Type.Object(
  {
    codecs: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Za-z0-9-]{4,8}(\\.[A-Za-z0-9]{1,16}){0,12}$', maxLength: 64 }), {
        maxItems: 64,
      }),
    ),
    heightMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 16_384 })),
    hdr: Type.Optional(Type.Array(Type.Union([Type.Literal('pq'), Type.Literal('hlg')]), { maxItems: 8 })),
    drm: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Za-z0-9.:_-]{1,64}$', maxLength: 64 }), { maxItems: 16 }),
    ),
  },
  { additionalProperties: false },
);
export type PlaybackCapabilities = Static<typeof PlaybackCapabilities>;

/** `clientAddress` stands for the request's own address; only operators may set it. `profileId`: who watches, one of the caller's own. */
export const PlaybackRequest = Type.Object(
  {
    titleId: ObjectId,
    clientAddress: Type.Optional(IpAddress),
    profileId: Type.Optional(ObjectId),
    capabilities: Type.Optional(PlaybackCapabilities),
  },
  { additionalProperties: false },
);
export type PlaybackRequest = Static<typeof PlaybackRequest>;

/** A playback session: standard URLs, each with its own credential in the path. */
export const PlaybackSession = Type.Object({
  sessionId: Type.String({ pattern: '^[0-9a-f]{32}$' }),
  titleId: ObjectId,
  name: Type.String(),
  bundle: FileName,
  durationMs: Type.Integer(),
  /** Where the profile goes on; absent: at the start. */
  resumeMs: Type.Optional(Type.Integer({ minimum: 0 })),
  /** The episode that comes after this one, where it may be played. */
  next: Type.Optional(Type.Object({ titleId: ObjectId, name: Line })),
  hlsUrl: Type.String(),
  dashUrl: Type.String(),
  /** What the manifests offer: renditions that the device plays and the plan allows. */
  renditions: Type.Optional(Type.Array(Type.String())),
  /** In which languages it sounds, first the one that players start with. */
  audioLanguages: Type.Optional(Type.Array(Type.String())),
  /** In which languages it can be read, first the one that the viewer asks for. */
  captionLanguages: Type.Optional(Type.Array(Type.String())),
  /** What a menu offers to hear, first what players start with; `id` is that of both manifests. */
  audio: Type.Optional(Type.Array(Type.Object({ id: Type.String(), language: Type.String() }))),
  /** What a menu offers to read. */
  captions: Type.Optional(
    Type.Array(Type.Object({ id: Type.String(), language: Type.String(), kind: CaptionKind })),
  ),
  /** Which of them players start with; none where it is absent. */
  captionsShown: Type.Optional(Type.String()),
  steeringUrl: Type.String(),
  posterUrl: Type.String(),
  thumbnailsUrl: Type.String(),
  eventsToken: Type.String(),
  /** `steering`: ranked by steering; `fallback`: steering could not be reached. */
  rankedBy: Type.Union([Type.Literal('steering'), Type.Literal('fallback')]),
  pathways: Type.Array(Pathway, { minItems: 1 }),
  expiresAtMs: TimeMs,
  /** What the viewer's plan allows; absent: nothing limits them. */
  entitlements: Type.Optional(Entitlements),
});
export type PlaybackSession = Static<typeof PlaybackSession>;

/** What a player reports. Nothing in it names a viewer. */
export const PlayerEvent = Type.Object(
  {
    id: Type.String({ pattern: '^[A-Za-z0-9_-]{8,64}$' }),
    timeMs: TimeMs,
    type: Type.Union([
      Type.Literal('play'),
      Type.Literal('progress'),
      Type.Literal('stall'),
      Type.Literal('pathway'),
      Type.Literal('rendition'),
      Type.Literal('error'),
      Type.Literal('end'),
    ]),
    positionMs: Type.Integer({ minimum: 0, maximum: 864_000_000 }),
    pathway: Type.Optional(NodeId),
    rendition: Type.Optional(Type.String({ maxLength: 64 })),
    stallMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400_000 })),
    throughputBps: Type.Optional(Type.Integer({ minimum: 0 })),
    /** With `play`: how long it took from the viewer's wish to the first picture. */
    startMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000 })),
    /** How long it played since the event that told this last. */
    playedMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000 })),
    /** What the rendition that plays is encoded with. */
    bitrateBps: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000 })),
    detail: Type.Optional(Type.String({ maxLength: 500 })),
  },
  { additionalProperties: false },
);
export type PlayerEvent = Static<typeof PlayerEvent>;

/** What players tell of playbacks, and what shows rows of what was seen of them. */
export const EventBatch = Type.Object(
  { events: Type.Array(Type.Union([PlayerEvent, RowEvent]), { minItems: 1, maxItems: 100 }) },
  { additionalProperties: false },
);
export type EventBatch = Static<typeof EventBatch>;

/**
 * Why an event of a batch was left out: `future` and `old` by its own time, `position` behind the end of what the session plays, `ticket`
 * for a row that was not made here, or longer than a day ago, or has no such place. To send it again changes nothing.
 */
export const EventRefusal = Type.Object({
  id: Type.String(),
  reason: Type.Union([
    Type.Literal('future'),
    Type.Literal('old'),
    Type.Literal('position'),
    Type.Literal('ticket'),
  ]),
});
export type EventRefusal = Static<typeof EventRefusal>;
export const EventBatchReply = Type.Object({
  accepted: Type.Integer(),
  duplicates: Type.Integer(),
  /** Absent where nothing was left out. */
  refused: Type.Optional(Type.Array(EventRefusal, { maxItems: 100 })),
});
export type EventBatchReply = Static<typeof EventBatchReply>;
