import { Type, type Static } from '../../../common/contract/type.ts';
import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { Place } from '../../../common/contract/documents.ts';
import { BaseUrl, IpAddress, SizeBytes, TimeMs } from '../../../common/contract/primitives.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

/** What outlives the process of a node's reports: enough to plan with while the node has not reported again. */
export const NodeRecord = Type.Object({
  drainWanted: Type.Boolean(),
  /** Where a steering node is reached by boxes and others of its kind. */
  steeringUrl: Type.Optional(BaseUrl),
  facts: Type.Optional(
    Type.Object({
      url: BaseUrl,
      addresses: Type.Array(IpAddress),
      place: Type.Optional(Place),
      routeFeed: Type.Optional(Type.Boolean()),
      capacityBytes: SizeBytes,
      lastSeenMs: TimeMs,
    }),
  ),
});
export type NodeRecord = Static<typeof NodeRecord>;

/** Opens the registry's collection of nodes, by node id. */
export function openNodeRecords(records: Records): Collection<NodeRecord> {
  return openCollection(records, 'nodes', (value) =>
    parseAs(NodeRecord, value, { what: 'the record of a node' }),
  );
}
