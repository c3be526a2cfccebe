import { Type, type Static } from '../../../common/contract/type.ts';
import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { Sequence, Thumbprint, TimeMs } from '../../../common/contract/primitives.ts';
import { ServedSummary } from '../../../common/contract/served.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { shareLevels } from '../../core/viewings.ts';

/** What viewers are served for: `played`, or `seen` as a picture. Boxes of before do not tell, and all is played. */
export const servedUses = ['played', 'seen'] as const;
export type ServedUse = (typeof servedUses)[number];

/** A file's smoothed bytes at a time; see core/popularity.ts. Of before there was a fast half-life they have none by it. */
export const WeightRecord = Type.Object({
  bytes: Type.Number({ minimum: 0 }),
  fastBytes: Type.Optional(Type.Number({ minimum: 0 })),
  atMs: TimeMs,
});
export type WeightRecord = Static<typeof WeightRecord>;

/** What a node has served altogether, and the last part of a report that is in it. */
export const ServedNodeRecord = Type.Object({
  kid: Thumbprint,
  sequence: Sequence,
  part: Type.Integer({ minimum: 0 }),
  served: ServedSummary,
});
export type ServedNodeRecord = Static<typeof ServedNodeRecord>;

/** How many sessions have begun at a place; see core/session-book.ts. */
export const SessionPlaceRecord = Type.Object({
  sessions: Type.Integer({ minimum: 0 }),
  /** A session counts as one byte. */
  recent: Type.Object({
    bytes: Type.Number({ minimum: 0 }),
    fastBytes: Type.Number({ minimum: 0 }),
    atMs: TimeMs,
  }),
  /** Of a site: where it is, by its sessions. */
  region: Type.Optional(Type.Object({ name: Type.String(), lead: Type.Integer({ minimum: 0 }) })),
});
export type SessionPlaceRecord = Static<typeof SessionPlaceRecord>;

/** What is believed of a title at a place; see core/viewings.ts. */
export const BeliefRecord = Type.Object({
  chances: Type.Array(Type.Number({ minimum: 0, maximum: 1 }), {
    minItems: shareLevels.length,
    maxItems: shareLevels.length,
  }),
  atMs: Type.Number({ minimum: 0 }),
  sessions: Type.Number({ minimum: 0 }),
});
export type BeliefRecord = Static<typeof BeliefRecord>;

/** What popularity is kept in: weights of what is played and, apart, of pictures that are looked at, by `site/file` (by `file` where the site is not known), what was served by node; sessions
 * by site, by `+region` and, of everywhere, by `*`; what is believed of bundles by `place/bundle`, of everywhere by `bundle`. */
export interface PopularityRecords {
  readonly weights: Readonly<Record<ServedUse, Collection<WeightRecord>>>;
  readonly nodes: Collection<ServedNodeRecord>;
  readonly sessionPlaces: Collection<SessionPlaceRecord>;
  readonly beliefs: Collection<BeliefRecord>;
}

/** Opens the collections of popularity. */
export function openPopularityRecords(records: Records): PopularityRecords {
  const code = 'STORE_CORRUPT';
  const weightsIn = (collection: string): Collection<WeightRecord> =>
    openCollection(records, collection, (value) =>
      parseAs(WeightRecord, value, { what: "a file's weight", code }),
    );
  return {
    weights: { played: weightsIn('popularity-weights'), seen: weightsIn('picture-weights') },
    nodes: openCollection(records, 'served-by-node', (value) =>
      parseAs(ServedNodeRecord, value, { what: 'what a node has served', code }),
    ),
    sessionPlaces: openCollection(records, 'session-places', (value) =>
      parseAs(SessionPlaceRecord, value, { what: 'how many sessions have begun at a place', code }),
    ),
    beliefs: openCollection(records, 'session-beliefs', (value) =>
      parseAs(BeliefRecord, value, { what: 'what is believed of a title', code }),
    ),
  };
}
