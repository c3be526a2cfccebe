import {
  FileName,
  NodeId,
  ObjectId,
  PlaceName,
  Sequence,
  SizeBytes,
  Thumbprint,
  TimeMs,
} from './primitives.ts';
import { PlayerEvent } from './playback.ts';
import { Country } from './release.ts';
import { RowKind } from './rows.ts';
import { LaunchForecast } from './titles.ts';
import { Type, type Static } from './type.ts';

/** What a playback ran on, as coarse as its user agent tells it: nothing that tells one viewer from another. */
export const DeviceKind = Type.Union([
  Type.Literal('desktop'),
  Type.Literal('phone'),
  Type.Literal('tablet'),
  Type.Literal('tv'),
  Type.Literal('other'),
]);
export type DeviceKind = Static<typeof DeviceKind>;

const { id: _, ...told } = PlayerEvent.properties;

/**
 * The registry of the event log: the schema of each type's `data`. What the log holds outlives many versions of the program and is
 * read by others (consumers, exports), so a type only ever gains what is optional; test/contract/event-log.test.ts holds
 * it to that.
 */
export const eventSchemas = {
  /** What a player told. Without a session nothing proves that it was of a playback. */
  player: Type.Object({
    ...told,
    session: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })),
    /** What the session plays. */
    bundle: Type.Optional(FileName),
    /** Where the viewer is; absent where neither a route nor the pathway tells. */
    site: Type.Optional(PlaceName),
    device: Type.Optional(DeviceKind),
  }),
  /** A session that has begun: nothing in it names a viewer. */
  session: Type.Object({
    bundle: FileName,
    /** Where the viewer is; absent where no route tells. */
    site: Type.Optional(PlaceName),
    /** In which country; absent where that is not known. */
    region: Type.Optional(Country),
    forecast: Type.Optional(LaunchForecast),
  }),
  /** A part of a signed served report: a report may be in the log twice, but each part counts once (see its consumers). */
  'served-report': Type.Object({
    nodeId: NodeId,
    /** The key that signed it: with another one the sequence begins anew. */
    kid: Thumbprint,
    sequence: Sequence,
    part: Type.Integer({ minimum: 0 }),
    /** Where its viewers are; not of an origin. */
    site: Type.Optional(PlaceName),
    sinceMs: TimeMs,
    /** Until when it was served: a box that was alone tells later. In events of before it is their own time. */
    untilMs: Type.Optional(TimeMs),
    filledBytes: SizeBytes,
    /** Of each file: bytes to viewers, bytes to boxes that fill. */
    files: Type.Array(Type.Tuple([FileName, SizeBytes, SizeBytes])),
    /** Of each of `files`: how many of the bytes to viewers were of pictures. Absent where none were, or the box did not tell. */
    pictureBytes: Type.Optional(Type.Array(SizeBytes)),
  }),
  /** Titles of a row that were on a screen, or the one that was opened. Nothing in it names a viewer. */
  impression: Type.Object({
    timeMs: TimeMs,
    action: Type.Union([Type.Literal('shown'), Type.Literal('chosen')]),
    row: RowKind,
    /** The model that had a say; absent where there was none. */
    model: Type.Optional(ObjectId),
    titles: Type.Array(
      Type.Object({
        titleId: ObjectId,
        place: Type.Integer({ minimum: 0 }),
        /** How likely it was to stand there. */
        propensity: Type.Number({ exclusiveMinimum: 0, maximum: 1 }),
      }),
    ),
    device: Type.Optional(DeviceKind),
  }),
} as const;

export type EventType = keyof typeof eventSchemas;
/** What the log holds of an event of this type. */
export type EventData<T extends EventType> = Static<(typeof eventSchemas)[T]>;
