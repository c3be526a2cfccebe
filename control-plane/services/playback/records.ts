import { Type, type Static } from '../../../common/contract/type.ts';
import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { FileName, ObjectId, TimeMs } from '../../../common/contract/primitives.ts';
import { PlaybackCapabilities } from '../../../common/contract/playback.ts';
import { Pathway } from '../../../common/contract/steering.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

/** A playback session: what its manifests are made of again at each request. The play token is in no record. */
export const SessionRecord = Type.Object({
  version: Type.Literal(1),
  sessionId: Type.String(),
  titleId: ObjectId,
  name: Type.String(),
  bundle: FileName,
  pathways: Type.Array(Pathway),
  /** Lines of the best picture that the viewer's plan allows. */
  heightMax: Type.Optional(Type.Integer({ minimum: 1 })),
  /** What the viewer's device plays. */
  capabilities: Type.Optional(PlaybackCapabilities),
  /** Which sound comes first; the bundle's own order when absent. */
  audioLanguage: Type.Optional(Type.String()),
  /** Which captions come first; the bundle's own order when absent. */
  captionLanguage: Type.Optional(Type.String()),
  /** The id of the captions that players start with; none when absent. */
  captionsShown: Type.Optional(Type.String()),
  /** Absolute, with the session's steer token in it. */
  steeringUrl: Type.Optional(Type.String()),
  createdAtMs: TimeMs,
  expiresAtMs: TimeMs,
});
export type SessionRecord = Static<typeof SessionRecord>;

const Expiry = Type.Object({ sessionId: Type.String() });
const Day = Type.Object({ sessions: Type.Integer({ minimum: 0 }) });

/** Sessions by id; the same ids in the order in which they end; how many were made a day (UTC). */
export interface SessionRecords {
  readonly sessions: Collection<SessionRecord>;
  readonly expiries: Collection<Static<typeof Expiry>>;
  readonly days: Collection<Static<typeof Day>>;
}

/** Opens the collections of playback. */
export function openSessionRecords(records: Records): SessionRecords {
  const code = 'STORE_CORRUPT';
  return {
    sessions: openCollection(records, 'sessions', (value) =>
      parseAs(SessionRecord, value, { what: 'the record of a session', code }),
    ),
    expiries: openCollection(records, 'session-expiries', (value) =>
      parseAs(Expiry, value, { what: "a session's expiry", code }),
    ),
    days: openCollection(records, 'session-days', (value) =>
      parseAs(Day, value, { what: "a day's sessions", code }),
    ),
  };
}
