import { Type, type Static } from '../../../common/contract/type.ts';
import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { Sequence, Thumbprint, TimeMs } from '../../../common/contract/primitives.ts';
import { ServedSummary } from '../../../common/contract/served.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

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

/** Up to where in the log the weights count. */
export const OffsetRecord = Type.Object({ offset: Type.Integer({ minimum: 0 }) });
export type OffsetRecord = Static<typeof OffsetRecord>;

/** What popularity is kept in: weights by `site/file` (by `file` where the site is not known), what was served by node, the offset by consumer. */
export interface PopularityRecords {
  readonly weights: Collection<WeightRecord>;
  readonly nodes: Collection<ServedNodeRecord>;
  readonly offsets: Collection<OffsetRecord>;
}

/** Opens the collections of popularity. */
export function openPopularityRecords(records: Records): PopularityRecords {
  const code = 'STORE_CORRUPT';
  return {
    weights: openCollection(records, 'popularity-weights', (value) =>
      parseAs(WeightRecord, value, { what: "a file's weight", code }),
    ),
    nodes: openCollection(records, 'served-by-node', (value) =>
      parseAs(ServedNodeRecord, value, { what: 'what a node has served', code }),
    ),
    offsets: openCollection(records, 'event-offsets', (value) =>
      parseAs(OffsetRecord, value, { what: 'an offset', code }),
    ),
  };
}
