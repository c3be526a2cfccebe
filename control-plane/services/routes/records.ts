import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { FileName, IpPrefix, TimeMs } from '../../../common/contract/primitives.ts';
import { RefusedRoutes } from '../../../common/contract/routes.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

const Count = Type.Integer({ minimum: 0 });

/** What a box has told last, and what is used of it. */
export const NodeRoutesRecord = Type.Object({
  /** Names of the table as it was told, and as it is used. */
  told: FileName,
  used: FileName,
  ipv4: Count,
  ipv6: Count,
  /** Some of what is used is not of the class `embedded`. */
  open: Type.Boolean(),
  refused: Type.Array(RefusedRoutes),
  /** It has told some at some time; absent in records of earlier versions. */
  hadSome: Type.Optional(Type.Boolean()),
  changedAtMs: TimeMs,
});
export type NodeRoutesRecord = Static<typeof NodeRoutesRecord>;

/** How often a box told other routes in the last hour, see route-flaps.ts. */
export const FlapsRecord = Type.Object({
  halves: Type.Array(
    Type.Object({ startMs: TimeMs, tables: Count, prefixes: Type.Record(Type.String(), Count) }),
    { maxItems: 2 },
  ),
});
export type FlapsRecord = Static<typeof FlapsRecord>;

/** What the boxes of a site may announce, where an operator has chosen that. */
export const SiteRoutesRecord = Type.Object({
  allowed: Type.Optional(Type.Array(Type.Object({ prefix: IpPrefix, maxLength: Count }))),
  routesMax: Type.Optional(Count),
});
export type SiteRoutesRecord = Static<typeof SiteRoutesRecord>;

/** Opens the collections of the service: two by node id, and one by site. */
export function openRouteRecords(records: Records): {
  nodes: Collection<NodeRoutesRecord>;
  flaps: Collection<FlapsRecord>;
  sites: Collection<SiteRoutesRecord>;
} {
  return {
    nodes: openCollection(records, 'nodes', (value) =>
      parseAs(NodeRoutesRecord, value, { what: 'the record of the routes of a node' }),
    ),
    flaps: openCollection(records, 'flaps', (value) =>
      parseAs(FlapsRecord, value, { what: 'the record of how often a node told other routes' }),
    ),
    sites: openCollection(records, 'sites', (value) =>
      parseAs(SiteRoutesRecord, value, { what: 'the record of what a site may announce' }),
    ),
  };
}
